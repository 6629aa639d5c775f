import { createRequire } from "node:module";
import { beforeAll, expect, test } from "vitest";
import { patchPassedOffsets } from "../../../src/adapters/kafka/passed-offsets-patch.ts";

const require = createRequire(import.meta.url);

interface Message {
  readonly offset: string;
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

interface Group {
  fetch(nodeId: string): Promise<readonly { readonly messages: readonly Message[] }[]>;
}

beforeAll(() => {
  patchPassedOffsets();
});

const record = (offset: number, producerId = "1"): Message => ({
  offset: String(offset),
  isControlRecord: false,
  batchContext: { producerId, inTransaction: true },
});
const marker = (offset: number): Message => ({ ...record(offset), isControlRecord: true });

/** kafkajs's own group, of which one fetch of orders-3 from offset 40 on is answered with this. */
function group(assigners: object[], partition: object): Group {
  const { prototype } = require("kafkajs/src/consumer/consumerGroup.js") as { prototype: object };
  const partitions = [{ topic: "orders", partitions: [3] }];
  const broker = {
    fetch: () =>
      Promise.resolve({
        responses: [
          { topicName: "orders", partitions: [{ partition: 3, highWatermark: "99", ...partition }] },
        ],
      }),
  };
  return Object.assign(Object.create(prototype) as Group, {
    assigners,
    preferredReadReplicasPerTopicPartition: {},
    cluster: {
      refreshMetadataIfNecessary: () => Promise.resolve(),
      findBroker: () => Promise.resolve(broker),
    },
    subscriptionState: { assigned: () => partitions, active: () => partitions, isPaused: () => false },
    seekOffset: { has: () => false, pop: () => undefined },
    offsetManager: {
      resolveOffsets: () => Promise.resolve(),
      committedOffsets: () => ({ orders: { 3: "40" } }),
      nextOffset: () => 40,
    },
    checkForStaleAssignment: () => undefined,
    filterPartitionsByNode: () => partitions,
  });
}

async function passed(partition: object): Promise<unknown[]> {
  const told: unknown[] = [];
  await group([{}, { onPassed: (...args: unknown[]) => told.push(args) }], partition).fetch("1");
  return told;
}

test("control records and aborted ones alone: told of, from where the fetch asked to the offset after them", async () => {
  expect(await passed({ messages: [marker(40)], abortedTransactions: [] })).toEqual([["orders", 3, 40, 41]]);
  const abortedTransactions = [{ producerId: "1", firstOffset: "41" }];
  const messages = [marker(41), record(42), record(43)];
  expect(await passed({ messages, abortedTransactions })).toEqual([["orders", 3, 40, 44]]);
});

test("records are delivered instead, with what lies behind them", async () => {
  expect(await passed({ messages: [record(40), marker(41)], abortedTransactions: [] })).toEqual([]);
});

test("nothing brought is nothing passed, however far the log goes", async () => {
  expect(await passed({ messages: [], abortedTransactions: [] })).toEqual([]);
});

test("other consumers of the process fetch as they did", async () => {
  const batches = await group([{}], { messages: [record(40), marker(41)], abortedTransactions: [] }).fetch(
    "1",
  );
  expect(batches.map(({ messages }) => messages)).toEqual([[record(40)]]);
});
