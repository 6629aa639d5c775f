import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createKafkaClient } from "../../../src/adapters/kafka/client.ts";
import { receiptText } from "../../../src/adapters/kafka/receipts.ts";
import { ShardProducer } from "../../../src/adapters/kafka/shard-producer.ts";
import { GREATEST_ID_BYTES } from "../../../src/domain/accept.ts";
import { RetriableError } from "../../../src/pipeline/errors.ts";
import { GREATEST_OFFSETS, worstReceipt } from "../../adapters/kafka/worst-receipt.ts";
import { LOGGER } from "./kafka-world.ts";

const name = `receipt-${Date.now().toString(36)}-${process.pid}`;
const kafka = createKafkaClient(
  { brokers: inject("endpoints").KAFKA_BROKERS.split(","), clientId: name, ssl: null, sasl: null },
  LOGGER,
);
const admin = kafka.admin();
const producer = new ShardProducer(kafka, name, 15_000);

beforeAll(async () => {
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: name, numPartitions: 1 }] });
});
afterAll(async () => {
  await producer.discard();
  await admin.deleteTopics({ topics: [name] });
  await admin.disconnect();
});

/** One transaction with an offset and this; tried again while the broker is still finding its coordinators. */
async function commit(metadata: string): Promise<void> {
  const partitions = [{ partition: 0, offset: "0", metadata }];
  for (;;) {
    try {
      await producer.fence();
      await producer.commit({ groupId: name, topics: [{ topic: name, partitions }] }, []);
      return;
    } catch (error) {
      if (!(error instanceof RetriableError)) throw error;
      await sleep(100);
    }
  }
}

test("a broker as it comes takes the longest receipt there can be, and of what is longer people are told the setting", async () => {
  const control = "\u0001".repeat(GREATEST_ID_BYTES);
  const longest = receiptText(worstReceipt([control, control, control]), GREATEST_OFFSETS);
  await commit(longest);
  const [found] = await admin.fetchOffsets({ groupId: name, topics: [name] });
  expect(found?.partitions[0]?.metadata).toBe(longest);
  await expect(commit("x".repeat(4_097))).rejects.toMatchObject({
    code: "RECEIPT_TOO_LARGE",
    retriable: false,
  });
});
