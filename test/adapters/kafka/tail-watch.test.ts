import type { Kafka } from "kafkajs";
import { expect, test } from "vitest";
import type { KafkaShardLog } from "../../../src/adapters/kafka/shard-log.ts";
import { TailReader } from "../../../src/adapters/kafka/tail-reader.ts";
import { TailWatch } from "../../../src/adapters/kafka/tail-watch.ts";

/** A leader that holds these messages from the asked offset on. */
class Broker {
  messages: object[] = [];
  lastStableOffset: string | undefined = "9";
  isAway = false;
  asked: unknown[] = [];
  open = 0;

  get kafka(): Kafka {
    const cluster = {
      connect: () => Promise.resolve(void (this.open = 1)),
      disconnect: () => Promise.resolve(void (this.open = 0)),
      addMultipleTargetTopics: () => Promise.resolve(),
      findLeaderForPartitions: () => ({ 7: [3] }),
      findBroker: () => Promise.resolve({ fetch: (request: object) => this.#answer(request) }),
    };
    return { [Symbol("private:Kafka:createCluster")]: () => cluster } as unknown as Kafka;
  }

  #answer(request: object): Promise<object> {
    this.asked.push(request);
    if (this.isAway) return Promise.reject(new Error("no leader"));
    const { messages, lastStableOffset } = this;
    return Promise.resolve({ responses: [{ partitions: [{ messages, lastStableOffset }] }] });
  }
}

/** A shard that waits for orders from offset 5 on. */
function waiting(passed: unknown[]): KafkaShardLog {
  const overdue = (): unknown => [["orders", 5]];
  return { shard: 3, overdue, pass: (...args: unknown[]) => passed.push(args) } as unknown as KafkaShardLog;
}

test("a partition that is asked alone and holds nothing up to its end is passed up to there", async () => {
  const broker = new Broker();
  const passed: unknown[] = [];
  const watch = new TailWatch(new TailReader(broker.kafka), "p.");
  await watch.look([waiting(passed)]);
  expect(passed).toEqual([["orders", 5, 9]]);
  expect(broker.asked).toEqual([
    {
      maxWaitTime: 0,
      minBytes: 0,
      maxBytes: 1,
      // Committed data only.
      isolationLevel: 1,
      topics: [{ topic: "p.orders", partitions: [{ partition: 3, fetchOffset: "5", maxBytes: 1 }] }],
    },
  ]);
  await watch.close();
  expect(broker.open).toBe(0);
});

test("what is there is left to the fetch, be it a commit marker; so is a broker that does not tell how far it is stable", async () => {
  const broker = new Broker();
  const passed: unknown[] = [];
  const watch = new TailWatch(new TailReader(broker.kafka), "p.");
  broker.messages = [{ offset: "7", isControlRecord: true }];
  await watch.look([waiting(passed)]);
  broker.messages = [];
  broker.lastStableOffset = undefined;
  await watch.look([waiting(passed)]);
  expect([passed, broker.asked.length]).toEqual([[], 2]);
});

test("trouble is no answer: the next look asks again", async () => {
  const broker = new Broker();
  const passed: unknown[] = [];
  const watch = new TailWatch(new TailReader(broker.kafka), "p.");
  broker.isAway = true;
  await watch.look([waiting(passed)]);
  expect([passed, broker.open]).toEqual([[], 0]);
  broker.isAway = false;
  await watch.look([waiting(passed)]);
  expect(passed).toEqual([["orders", 5, 9]]);
});

test("one look at a time, and none once it is closed", async () => {
  const broker = new Broker();
  const passed: unknown[] = [];
  const watch = new TailWatch(new TailReader(broker.kafka), "p.");
  await Promise.all([watch.look([waiting(passed)]), watch.look([waiting(passed)])]);
  expect(broker.asked).toHaveLength(1);
  await watch.close();
  await watch.look([waiting(passed)]);
  expect(broker.asked).toHaveLength(1);
});
