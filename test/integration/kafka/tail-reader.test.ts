import { setTimeout as sleep } from "node:timers/promises";
import type { Admin, Kafka, Transaction } from "kafkajs";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createKafkaClient } from "../../../src/adapters/kafka/client.ts";
import { TailReader } from "../../../src/adapters/kafka/tail-reader.ts";
import { LOGGER } from "./kafka-world.ts";

const topic = `tail-${Date.now().toString(36)}-${process.pid}`;
let kafka: Kafka;
let admin: Admin;
let reader: TailReader;

beforeAll(async () => {
  const brokers = inject("endpoints").KAFKA_BROKERS.split(",");
  kafka = createKafkaClient({ brokers, clientId: topic, ssl: null, sasl: null }, LOGGER);
  admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  reader = new TailReader(kafka);
});
afterAll(async () => {
  await reader.close();
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
});

/** The marker follows the answer to a commit or an abort. */
async function ended(high: number): Promise<void> {
  while (Number((await admin.fetchTopicOffsets(topic))[0]?.high) < high) await sleep(20);
}

async function begun(): Promise<{ transaction: Transaction; end(): Promise<void> }> {
  const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ value: "x".repeat(5_000) }] });
  return { transaction, end: () => producer.disconnect() };
}

test("nothing is there only where a broker brings nothing at all, be it records, aborted ones or markers", async () => {
  const empty = (offset: number): Promise<number | null> => reader.emptyUpTo(topic, 0, offset);
  expect(await empty(0)).toBe(0);
  // Offset 0 is a record, 1 its commit marker.
  const first = await begun();
  await first.transaction.commit();
  await first.end();
  await ended(2);
  expect([await empty(0), await empty(1), await empty(2)]).toEqual([null, null, 2]);
  // Whoever reads committed data can't get to what is still open.
  const second = await begun();
  expect(await empty(2)).toBe(2);
  await second.transaction.abort();
  await second.end();
  await ended(4);
  expect([await empty(2), await empty(3), await empty(4)]).toEqual([null, null, 4]);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "-1" }] });
  expect(await empty(4)).toBe(4);
  await expect(empty(3)).rejects.toThrow("offset");
});
