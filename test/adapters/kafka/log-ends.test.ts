import type { Admin } from "kafkajs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LogEnds } from "../../../src/adapters/kafka/log-ends.ts";

/** The ends that a broker would tell, and whether it does. */
class Broker {
  high = 5;
  isAway = false;
  readonly asked: string[] = [];

  get admin(): Admin {
    const fetchTopicOffsets = (topic: string): Promise<object[]> => {
      this.asked.push(topic);
      if (this.isAway) return Promise.reject(new Error("no leader"));
      return Promise.resolve([{ partition: 0, offset: "9", low: "2", high: String(this.high) }]);
    };
    return { fetchTopicOffsets } as unknown as Admin;
  }
}

beforeEach(() => vi.useFakeTimers({ now: 1000 }));
afterEach(() => void vi.useRealTimers());

test("ends are as old as the question, not the answer: what was appended before it lies below them (A10)", async () => {
  const ends = new LogEnds(new Broker().admin, "p.", 250, () => undefined);
  expect(ends.of("orders", 0)).toBeNull();
  const asking = ends.refresh();
  vi.setSystemTime(1700);
  await asking;
  expect(ends.of("orders", 0)).toEqual({ askedAt: 1000, low: 2, high: 5 });
  expect(ends.of("orders", 1)).toBeNull();
});

test("all fact topics are asked at once, again after the interval, until stopped", async () => {
  const broker = new Broker();
  let rounds = 0;
  const ends = new LogEnds(broker.admin, "p.", 250, () => rounds++);
  ends.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(broker.asked.sort()).toEqual(["p.customers", "p.inquiries", "p.orders", "p.referrals", "p.surveys"]);
  await vi.advanceTimersByTimeAsync(500);
  expect(rounds).toBe(3);
  ends.stop();
  await vi.advanceTimersByTimeAsync(1000);
  expect(rounds).toBe(3);
});

test("a failed round tells nothing new and is tried again; who asks directly is told", async () => {
  const broker = new Broker();
  const ends = new LogEnds(broker.admin, "p.", 250, () => undefined);
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
  const ends = new LogEnds(broker.admin, "p.", 250, () => undefined);
  const first = ends.refresh();
  broker.high = 8;
  vi.setSystemTime(1100);
  const others = [ends.refresh(), ends.refresh(), ends.refresh()];
  await first;
  await Promise.all(others);
  expect(ends.of("orders", 0)).toMatchObject({ askedAt: 1100, high: 8 });
  expect(broker.asked.filter((topic) => topic === "p.orders")).toHaveLength(2);
});
