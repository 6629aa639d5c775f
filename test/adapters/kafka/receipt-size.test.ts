import { expect, test } from "vitest";
import { receiptText, receiptTextOfOutbox } from "../../../src/adapters/kafka/receipts.ts";
import { GREATEST_ID_BYTES } from "../../../src/domain/accept.ts";
import { FACT_TOPICS } from "../../../src/domain/events.ts";
import type { Migration, Receipt } from "../../../src/pipeline/ports.ts";
import { MOST_MIGRATIONS } from "../../../src/pipeline/repolicy.ts";
import { instant } from "../../../src/shared/instant.ts";

/** What brokers take as metadata of an offset unless configured. */
const METADATA_BYTES = 4096;

test("a receipt that tells of as many changes of policy as it may is one that brokers take", () => {
  const customerId = "c".repeat(GREATEST_ID_BYTES);
  const hash = "f".repeat(64);
  const at = instant(9_999_999_999_999);
  const offsets = Object.fromEntries(FACT_TOPICS.map((topic) => [topic, Number.MAX_SAFE_INTEGER]));
  let migrating: Migration | null = null;
  for (let i = 0; i < MOST_MIGRATIONS; i++)
    migrating = { to: hash, afterCustomerId: customerId, over: migrating };
  const receipt: Receipt = {
    seq: Number.MAX_SAFE_INTEGER,
    clock: { at, customerId },
    policy: hash,
    migrating,
    silentBelow: { offsets, at },
    log: {
      cluster: "k".repeat(36),
      prefix: "p".repeat(100),
      shards: 10_000,
      topics: Object.fromEntries(FACT_TOPICS.map((topic) => [topic, "t".repeat(22)])),
    },
    begin: offsets,
  };
  expect(Buffer.byteLength(receiptText(receipt, offsets))).toBeLessThan(METADATA_BYTES);
  expect(Buffer.byteLength(receiptTextOfOutbox({ receipt, offsets }))).toBeLessThan(METADATA_BYTES);
});
