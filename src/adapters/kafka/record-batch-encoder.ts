import { createRequire } from "node:module";
import { crc32c } from "./crc32c.ts";

/** What kafkajs calls with; `records` as record-encoder.ts makes them. */
interface BatchToEncode {
  readonly compression?: number;
  readonly firstOffset?: unknown;
  readonly firstTimestamp?: number | string;
  readonly maxTimestamp?: number | string;
  readonly partitionLeaderEpoch?: number;
  readonly lastOffsetDelta?: number;
  readonly transactional?: boolean;
  readonly producerId?: { readonly value: bigint } | number | string;
  readonly producerEpoch?: number;
  readonly firstSequence?: number;
  readonly records?: readonly { readonly buffer: Buffer }[];
}

/** As much of kafkajs's own encoder as it asks an encoded batch for. */
interface EncodedBatch {
  readonly buf: Buffer;
  readonly buffer: Buffer;
  size(): number;
}

interface BatchModule {
  readonly MAGIC_BYTE: number;
  RecordBatch: (batch: BatchToEncode) => Promise<EncodedBatch>;
}

/** Bytes before the records of a batch, and of those the ones before what its checksum covers. */
const HEADER_BYTES = 61;
const CHECKSUM_AT = 17;
const CHECKED_FROM = 21;
/** Offset and length: what the length does not count. */
const LENGTH_FROM = 12;
const TRANSACTIONAL_FLAG = 0x10;

/**
 * Encodes a batch of message format 2 (https://kafka.apache.org/documentation/#recordbatch) in one buffer of its exact size.
 * kafkajs 2.2.4 copies the records through three, the first of which is doubled as it grows: of a batch of a MiB it makes five. The
 * checksum takes 0.9 ns a byte where kafkajs's takes 3.
 * Compressed ones, and those with an offset of their own, are left to kafkajs.
 * @param path of the module this one replaces
 */
export function recordBatchEncoder(path: string): BatchModule {
  const require = createRequire(path);
  const original = require(path) as BatchModule;
  return {
    MAGIC_BYTE: original.MAGIC_BYTE,
    RecordBatch: (batch) => {
      const { compression = 0, firstOffset, producerId = -1, records = [] } = batch;
      if (compression !== 0 || firstOffset !== undefined) return original.RecordBatch(batch);
      let size = HEADER_BYTES;
      for (const { buffer } of records) size += buffer.length;
      const bytes = Buffer.allocUnsafe(size);
      const now = Date.now();
      bytes.writeBigInt64BE(0n, 0);
      bytes.writeInt32BE(size - LENGTH_FROM, 8);
      bytes.writeInt32BE(batch.partitionLeaderEpoch ?? 0, 12);
      bytes.writeInt8(original.MAGIC_BYTE, 16);
      bytes.writeInt16BE(batch.transactional === true ? TRANSACTIONAL_FLAG : 0, 21);
      bytes.writeInt32BE(batch.lastOffsetDelta ?? 0, 23);
      bytes.writeBigInt64BE(BigInt(batch.firstTimestamp ?? now), 27);
      bytes.writeBigInt64BE(BigInt(batch.maxTimestamp ?? now), 35);
      bytes.writeBigInt64BE(typeof producerId === "object" ? producerId.value : BigInt(producerId), 43);
      bytes.writeInt16BE(batch.producerEpoch ?? 0, 51);
      bytes.writeInt32BE(batch.firstSequence ?? 0, 53);
      bytes.writeInt32BE(records.length, 57);
      let at = HEADER_BYTES;
      for (const { buffer } of records) at += buffer.copy(bytes, at);
      bytes.writeUInt32BE(crc32c(bytes, CHECKED_FROM), CHECKSUM_AT);
      return Promise.resolve({ buf: bytes, buffer: bytes, size: () => size });
    },
  };
}
