import { createRequire } from "node:module";
import fc from "fast-check";
import type { IHeaders, Message } from "kafkajs";
import { describe, expect, test } from "vitest";
import { groupByPartition } from "../../../src/adapters/kafka/message-grouping.ts";
import { recordBatchEncoder } from "../../../src/adapters/kafka/record-batch-encoder.ts";
import { recordBatchDecoder } from "../../../src/adapters/kafka/record-decoder.ts";
import { encodeRecord } from "../../../src/adapters/kafka/record-encoder.ts";

// Loaded without kafkajs.ts: these are kafkajs's own.
const require = createRequire(import.meta.url);
const originalRecord = require("kafkajs/src/protocol/recordBatch/record/v0/index.js") as (record: object) => {
  buffer: Buffer;
};
const originalGrouping =
  require("kafkajs/src/producer/groupMessagesPerPartition.js") as typeof groupByPartition;

const originalBatchPath = require.resolve("kafkajs/src/protocol/recordBatch/v0/decoder.js");
const originalBatch = require(originalBatchPath) as ReturnType<typeof recordBatchDecoder>;
const { RecordBatch } = require("kafkajs/src/protocol/recordBatch/v0/index.js") as {
  RecordBatch: (batch: object) => Promise<{ buffer: Buffer }>;
};
const Decoder = require("kafkajs/src/protocol/decoder.js") as new (
  bytes: Buffer,
) => Parameters<typeof originalBatch>[0];

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
  fc.string({ unit: "grapheme", maxLength: 100 }),
);
// Named like something that every object has, kafkajs's own reading of a header would hold that as well.
const name = fc
  .string({ unit: "grapheme", maxLength: 20 })
  .filter((text) => !/^\d+$/.test(text) && !(text in Object.prototype));
const headers: fc.Arbitrary<IHeaders> = fc.dictionary(
  name,
  fc.oneof(bytes, fc.array(bytes, { maxLength: 3 })),
  {
    maxKeys: 8,
    noNullPrototype: true,
  },
);

/** What is read of a record, here and by kafkajs. */
function told(record: {
  readonly offset: unknown;
  readonly timestamp: string;
  readonly key: unknown;
  readonly value: unknown;
  readonly headers: object;
  readonly isControlRecord: boolean;
  readonly batchContext: object;
}): object {
  const { offset, timestamp, key, value, headers, isControlRecord, batchContext } = record;
  return {
    offset: Number(offset),
    timestamp,
    key,
    value,
    headers: { ...headers },
    isControlRecord,
    batchContext,
  };
}

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

  test("batches of records, whole, compressed, transactional, stamped by the broker, and cut short", async () => {
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
    const batch = fc.record({
      firstOffset: fc.oneof(fc.nat(), fc.integer({ min: 2 ** 31, max: 2 ** 52 })),
      firstTimestamp: fc.integer({ min: 2 ** 40, max: 2 ** 41 }),
      maxTimestamp: fc.integer({ min: 2 ** 40, max: 2 ** 41 }),
      lastOffsetDelta: fc.nat(1000),
      producerId: fc.nat(),
      producerEpoch: fc.nat(1000),
      firstSequence: fc.nat(),
      transactional: fc.boolean(),
      compression: fc.constantFrom(0, 1),
      records: fc.array(record, { minLength: 1, maxLength: 5 }),
    });
    const replaced = recordBatchDecoder(originalBatchPath);
    const isAppendTime = fc.boolean();
    await fc.assert(
      fc.asyncProperty(batch, isAppendTime, fc.nat(), async (any, isStamped, cut) => {
        const encoded = await RecordBatch({ ...any, records: any.records.map(originalRecord) });
        const bytes = Buffer.from(encoded.buffer);
        // Byte 22 is the low one of the attributes, after offset, length, epoch, magic and checksum.
        if (isStamped) bytes[22] = (bytes[22] ?? 0) | 8;
        const [expected, found] = [
          await originalBatch(new Decoder(bytes)),
          await replaced(new Decoder(bytes)),
        ];
        const { records: expectedRecords, ...expectedContext } = expected;
        const { records, magicByte: _magic, ...context } = found;
        expect(context).toEqual(expectedContext);
        expect(records.map(told)).toEqual(expectedRecords.map(told));
        const short = bytes.subarray(0, 12 + (cut % (bytes.length - 12)));
        await expect(replaced(new Decoder(short))).rejects.toMatchObject({
          name: "KafkaJSPartialMessageError",
        });
      }),
      { numRuns: 500 },
    );
  });

  test("but for a batch that compaction has emptied: it is passed, not taken for the end of the log", async () => {
    const encoded = await RecordBatch({ firstOffset: 40, lastOffsetDelta: 2, records: [] });
    const bytes = Buffer.from(encoded.buffer);
    expect((await originalBatch(new Decoder(bytes))).records).toEqual([]);
    const { records, isControlBatch } = await recordBatchDecoder(originalBatchPath)(new Decoder(bytes));
    expect(isControlBatch).toBe(false);
    expect(records.map(told)).toMatchObject([
      { offset: 42, isControlRecord: true, key: null, value: null, headers: {} },
    ]);
  });

  test("batches to be sent, byte for byte", async () => {
    const batch = fc.record(
      {
        firstTimestamp: fc.oneof(fc.nat(2 ** 41), fc.nat(2 ** 30).map(String)),
        maxTimestamp: fc.nat(2 ** 41),
        lastOffsetDelta: fc.nat(1000),
        producerId: fc.oneof(fc.nat(), fc.integer({ min: 2 ** 40, max: 2 ** 52 }).map(String)),
        producerEpoch: fc.nat(1000),
        firstSequence: fc.nat(),
        transactional: fc.boolean(),
        compression: fc.constantFrom(0, 0, 1),
        records: fc.array(bytes, { maxLength: 5 }),
      },
      { requiredKeys: ["firstTimestamp", "maxTimestamp"] },
    );
    const replaced = recordBatchEncoder(require.resolve("kafkajs/src/protocol/recordBatch/v0/index.js"));
    await fc.assert(
      fc.asyncProperty(batch, async (any) => {
        const records = (any.records ?? []).map((value, i) =>
          originalRecord({ key: null, value, offsetDelta: i }),
        );
        const found = await replaced.RecordBatch({ ...any, records });
        expect(found.buffer.toString("hex")).toBe(
          (await RecordBatch({ ...any, records })).buffer.toString("hex"),
        );
        expect(found.size()).toBe(found.buffer.length);
      }),
      { numRuns: 500 },
    );
  });

  test("a record that says it is longer than its batch is no reading beyond it", async () => {
    const { buffer } = await RecordBatch({
      records: [originalRecord({ key: null, value: Buffer.alloc(30) })],
    });
    const bytes = Buffer.from(buffer);
    // The first byte of the first record is its length.
    bytes[61] = 0x7e;
    await expect(recordBatchDecoder(originalBatchPath)(new Decoder(bytes))).rejects.toThrow("damaged");
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
