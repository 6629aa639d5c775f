import { createRequire } from "node:module";
import { beforeAll, expect, test } from "vitest";
import { patchOutOfRange } from "../../../src/adapters/kafka/out-of-range-patch.ts";

const require = createRequire(import.meta.url);

interface Group {
  assigners: object[];
  preferredReadReplicasPerTopicPartition: Record<string, Record<number, number>>;
  offsetManager: { setDefaultOffset(place: object): Promise<void> };
  logger: object;
  recoverFromFetch(error: object): Promise<void>;
  pause(places: object): void;
}

let done: string[] = [];

beforeAll(() => {
  patchOutOfRange();
});

/** kafkajs's own group, of which nothing but the recovery is used. */
function group(assigners: object[]): Group {
  done = [];
  const { prototype } = require("kafkajs/src/consumer/consumerGroup.js") as { prototype: object };
  const quiet = (): void => undefined;
  const held = Object.create(prototype) as Group;
  return Object.assign(held, {
    assigners,
    preferredReadReplicasPerTopicPartition: {},
    logger: { error: quiet, info: quiet, warn: quiet, debug: quiet },
    offsetManager: {
      setDefaultOffset: () => {
        done.push("group's offset committed");
        return Promise.resolve();
      },
    },
    pause: (places: object) => done.push(`paused ${JSON.stringify(places)}`),
  });
}

const OUT_OF_RANGE = { name: "KafkaJSOffsetOutOfRange", topic: "orders", partition: 3 };

test("whoever wants to know is told, reads nothing on, and the group's offset stays (A4, A10)", async () => {
  const listener = {
    onOffsetOutOfRange: (topic: string, partition: number) => done.push(`told of ${topic}-${partition}`),
  };
  await group([{}, listener]).recoverFromFetch(OUT_OF_RANGE);
  expect(done).toEqual(['paused [{"topic":"orders","partitions":[3]}]', "told of orders-3"]);
});

test("other consumers of the process are left as kafkajs has them", async () => {
  await group([{}]).recoverFromFetch(OUT_OF_RANGE);
  expect(done).toEqual(["group's offset committed"]);
});

test("a follower that does not hold the offset is no reason: the leader is asked", async () => {
  const listener = { onOffsetOutOfRange: () => done.push("told") };
  const held = group([listener]);
  held.preferredReadReplicasPerTopicPartition = { orders: { 3: 1 } };
  await held.recoverFromFetch(OUT_OF_RANGE);
  expect(done).toEqual([]);
  expect(held.preferredReadReplicasPerTopicPartition).toEqual({ orders: {} });
});
