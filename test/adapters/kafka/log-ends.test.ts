import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { InnerCluster } from "../../../src/adapters/kafka/inner-cluster.ts";
import { LogEnds } from "../../../src/adapters/kafka/log-ends.ts";

/** The ends that a broker would tell, and whether it does. */
class Broker {
  high = 5;
  isAway = false;
  /** Topics by question. */
  readonly asked: string[][] = [];

  ask<T>(
    _what: string,
    known: readonly string[],
    question: (cluster: InnerCluster) => Promise<T>,
  ): Promise<T> {
    const fetchTopicsOffset: InnerCluster["fetchTopicsOffset"] = (topics) => {
      this.asked.push(topics.map(({ topic }) => topic));
      if (this.isAway) return Promise.reject(new Error("no leader"));
      return Promise.resolve(
        topics.map(({ topic, partitions, fromBeginning }) => ({
          topic,
          partitions: partitions.map((each) => ({
            ...each,
            offset: fromBeginning ? "2" : String(this.high + each.partition),
          })),
        })),
      );
    };
    const findTopicPartitionMetadata = (topic: string): { partitionId: number }[] =>
      known.includes(topic) ? [{ partitionId: 0 }, { partitionId: 2 }] : [];
    return question({ fetchTopicsOffset, findTopicPartitionMetadata } as unknown as InnerCluster);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

beforeEach(() => vi.useFakeTimers({ now: 1000 }));
afterEach(() => void vi.useRealTimers());

test("ends are as old as the question, not the answer: what was appended before it lies below them (A10)", async () => {
  const ends = new LogEnds(new Broker(), "p.", 250, () => undefined);
  expect(ends.of("orders", 0)).toBeNull();
  const asking = ends.refresh();
  vi.setSystemTime(1700);
  await asking;
  expect(ends.of("orders", 0)).toEqual({ askedAt: 1000, low: 2, high: 5 });
  expect(ends.of("orders", 1)).toBeNull();
  expect(ends.of("orders", 2)).toEqual({ askedAt: 1000, low: 2, high: 7 });
});

test("all fact topics are asked in two questions, for their ends and their beginnings, again after the interval, until stopped", async () => {
  const broker = new Broker();
  let rounds = 0;
  const ends = new LogEnds(broker, "p.", 250, () => rounds++);
  ends.start();
  await vi.advanceTimersByTimeAsync(0);
  const all = ["p.orders", "p.inquiries", "p.surveys", "p.customers", "p.referrals"];
  expect(broker.asked).toEqual([all, all]);
  await vi.advanceTimersByTimeAsync(500);
  expect(rounds).toBe(3);
  ends.stop();
  await vi.advanceTimersByTimeAsync(1000);
  expect(rounds).toBe(3);
});

test("a failed round tells nothing new and is tried again; who asks directly is told", async () => {
  const broker = new Broker();
  const ends = new LogEnds(broker, "p.", 250, () => undefined);
  ends.start();
  await vi.advanceTimersByTimeAsync(0);
  broker.isAway = true;
  broker.high = 8;
  await vi.advanceTimersByTimeAsync(250);
  expect(ends.of("orders", 0)).toMatchObject({ askedAt: 1000, high: 5 });
  await expect(ends.refresh()).rejects.toMatchObject({ code: "KAFKA_TROUBLE", retriable: true });
  broker.isAway = false;
  await vi.advanceTimersByTimeAsync(250);
  expect(ends.of("orders", 0)).toMatchObject({ askedAt: 1500, high: 8 });
  ends.stop();
});

test("who asks while a round is under way is not told its answer, but shares the next one with all who do (A4)", async () => {
  const broker = new Broker();
  const ends = new LogEnds(broker, "p.", 250, () => undefined);
  const first = ends.refresh();
  broker.high = 8;
  vi.setSystemTime(1100);
  const others = [ends.refresh(), ends.refresh(), ends.refresh()];
  await first;
  await Promise.all(others);
  expect(ends.of("orders", 0)).toMatchObject({ askedAt: 1100, high: 8 });
  expect(broker.asked).toHaveLength(4);
});

test("the beginning of any topic is asked for by itself", async () => {
  const broker = new Broker();
  const ends = new LogEnds(broker, "p.", 250, () => undefined);
  expect(await ends.lowOf("outbox", 2)).toBe(2);
  expect(await ends.lowOf("outbox", 1)).toBe(0);
  expect(broker.asked).toEqual([["outbox"], ["outbox"]]);
});
