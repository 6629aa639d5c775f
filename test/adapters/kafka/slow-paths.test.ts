import { createRequire } from "node:module";
import fc from "fast-check";
import type { IHeaders, Message } from "kafkajs";
import { describe, expect, test } from "vitest";
import { groupByPartition } from "../../../src/adapters/kafka/message-grouping.ts";
import { encodeRecord } from "../../../src/adapters/kafka/record-encoder.ts";

// Loaded without kafkajs.ts: these are kafkajs's own.
const require = createRequire(import.meta.url);
const originalRecord = require("kafkajs/src/protocol/recordBatch/record/v0/index.js") as (record: object) => {
  buffer: Buffer;
};
const originalGrouping =
  require("kafkajs/src/producer/groupMessagesPerPartition.js") as typeof groupByPartition;

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
  fc.string({ unit: "grapheme", maxLength: 100 }),
);
const name = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !/^\d+$|^__proto__$/.test(text));
const headers: fc.Arbitrary<IHeaders> = fc.dictionary(
  name,
  fc.oneof(bytes, fc.array(bytes, { maxLength: 3 })),
  {
    maxKeys: 8,
    noNullPrototype: true,
  },
);

describe("what is replaced in kafkajs does what it did", () => {
  test("records, byte for byte", () => {
    const record = fc.record(
      {
        key: fc.option(bytes, { nil: null }),
        value: fc.option(bytes, { nil: null }),
        offsetDelta: fc.nat(2 ** 30),
        timestampDelta: fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
        headers,
      },
      { requiredKeys: ["key", "value"] },
    );
    fc.assert(
      fc.property(record, (any) => {
        const { buffer } = encodeRecord(any);
        expect(buffer.toString("hex")).toBe(originalRecord(any).buffer.toString("hex"));
      }),
      { numRuns: 1000 },
    );
  });

  test("large records, whose sizes take several bytes", () => {
    for (const length of [63, 64, 8191, 8192, 1_048_576]) {
      const record = {
        key: "k".repeat(length),
        value: Buffer.alloc(length, 7),
        headers: { h: "x".repeat(length) },
      };
      expect(encodeRecord(record).buffer.equals(originalRecord(record).buffer)).toBe(true);
    }
  });

  test("messages by partition, in their order", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5)), (partitions) => {
        const messages: Message[] = partitions.map((partition, i) => ({ value: String(i), partition }));
        const grouping = {
          topic: "t",
          partitionMetadata: [{}] as never[],
          messages,
          partitioner: ({ message }: { message: Message }) => message.partition ?? 0,
        };
        expect(groupByPartition(grouping)).toEqual(originalGrouping(grouping));
      }),
    );
    expect(
      groupByPartition({ topic: "t", partitionMetadata: [], messages: [], partitioner: () => 0 }),
    ).toEqual({});
  });

  test("all of them are in place in the kafkajs that is installed", async () => {
    const { UNKNOWN_SOURCES } = await import("../../../src/adapters/kafka/kafkajs.ts");
    expect(UNKNOWN_SOURCES).toEqual([]);
  });
});
