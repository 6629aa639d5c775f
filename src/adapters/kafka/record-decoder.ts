import { createRequire } from "node:module";
import type { IHeaders, KafkaMessage } from "kafkajs";

/** As much of kafkajs's decoder as a batch is read with. */
interface ResponseDecoder {
  readonly buffer: Buffer;
  readInt8(): number;
  readInt16(): number;
  readInt32(): number;
  readInt64(): bigint;
  readAll(): Buffer;
  slice(length: number): ResponseDecoder;
  forward(length: number): void;
}

interface Codec {
  decompress(bytes: Buffer): Promise<Buffer>;
}

/** What the records of one batch have in common; kafkajs reads it from each of them. */
interface BatchContext {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly maxTimestamp: string;
  readonly producerId: string;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  /** 1: the broker stamped the batch when it appended it. */
  readonly timestampType: number;
  readonly magicByte: number;
}

interface RecordBatch extends BatchContext {
  readonly records: FetchedRecord[];
}

const LOG_APPEND_TIME = 1;
const TIMESTAMP_TYPE_FLAG = 0x8;
const TRANSACTIONAL_FLAG = 0x10;
const CONTROL_FLAG = 0x20;

/**
 * A record as it lies in the response: its parts are read when they are asked for. Records wait to be merged longer than the young
 * generation lives, and as kafkajs makes them each is a dozen objects.
 */
class FetchedRecord implements Omit<KafkaMessage, "offset" | "attributes" | "size" | "headers"> {
  readonly batchContext: BatchContext;
  /** A number: kafkajs takes offsets as it takes strings of them, and compares them faster. */
  readonly offset: number;
  readonly #bytes: Buffer;
  /** Where the timestamp's difference from the batch's first begins. */
  readonly #start: number;

  constructor(batchContext: BatchContext, offset: number, bytes: Buffer, start: number) {
    this.batchContext = batchContext;
    this.offset = offset;
    this.#bytes = bytes;
    this.#start = start;
  }

  get isControlRecord(): boolean {
    return this.batchContext.isControlBatch;
  }

  get timestamp(): string {
    const { timestampType, maxTimestamp, firstTimestamp } = this.batchContext;
    if (timestampType === LOG_APPEND_TIME) return maxTimestamp;
    return String(Number(firstTimestamp) + new Varints(this.#bytes, this.#start).next());
  }

  get key(): Buffer | null {
    return this.#parts().bytes();
  }

  get value(): Buffer | null {
    const parts = this.#parts();
    parts.skip();
    return parts.bytes();
  }

  get headers(): IHeaders {
    const parts = this.#parts();
    parts.skip();
    parts.skip();
    let count = parts.next();
    if (count <= 0) return NO_HEADERS;
    const headers: IHeaders = {};
    for (; count > 0; count--) {
      const name = (parts.bytes() ?? EMPTY).toString("utf8");
      // kafkajs has null here too, whatever its types say.
      const value = parts.bytes() as Buffer;
      const known = Object.hasOwn(headers, name) ? headers[name] : undefined;
      const all = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
      // Whoever named the header may have named it __proto__.
      Object.defineProperty(headers, name, {
        value: all,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    return headers;
  }

  #parts(): Varints {
    const parts = new Varints(this.#bytes, this.#start);
    parts.next();
    parts.next();
    return parts;
  }
}

const EMPTY = Buffer.alloc(0);
const NO_HEADERS: IHeaders = Object.freeze({});
/** The rest of a record with neither key, value nor headers. */
const NOTHING = Buffer.from([0, 0, 1, 1, 0]);

/** Reads numbers, and bytes with their length before them, one after the other. */
class Varints {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** A zigzag number; exact up to 2⁵³. */
  next(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.at++] ?? 0;
    let value = byte & 0x7f;
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      if (this.at >= bytes.length || scale > 2 ** 56)
        throw new Error("a record in a fetched batch is damaged");
      byte = bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * scale;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(): Buffer | null {
    const length = this.next();
    if (length < 0) return null;
    const start = this.at;
    this.at += length;
    return this.#bytes.subarray(start, this.at);
  }

  skip(): void {
    const length = this.next();
    if (length > 0) this.at += length;
  }
}

/**
 * Reads a batch of message format 2 (https://kafka.apache.org/documentation/#recordbatch) as kafkajs 2.2.4 does, but for the
 * records, which are left where they are, and for batches without any.
 * @param path of the module this one replaces: its neighbours know the compression codecs and the error for a batch cut short
 */
export function recordBatchDecoder(path: string): (response: ResponseDecoder) => Promise<RecordBatch> {
  const require = createRequire(path);
  const { KafkaJSPartialMessageError } = require("../../../errors") as {
    KafkaJSPartialMessageError: new (message: string) => Error;
  };
  const { lookupCodecByAttributes } = require("../../message/compression") as {
    lookupCodecByAttributes: (attributes: number) => Codec | null;
  };
  return async (response) => {
    const firstOffset = response.readInt64();
    const length = response.readInt32();
    const batch = response.slice(length);
    response.forward(length);
    if (batch.buffer.length < length) {
      throw new KafkaJSPartialMessageError(
        `${batch.buffer.length} of a batch's ${length} bytes were fetched`,
      );
    }
    const partitionLeaderEpoch = batch.readInt32();
    const magicByte = batch.readInt8();
    batch.readInt32();
    const attributes = batch.readInt16();
    const lastOffsetDelta = batch.readInt32();
    const firstTimestamp = String(batch.readInt64());
    const maxTimestamp = String(batch.readInt64());
    const producerId = String(batch.readInt64());
    const context = {
      firstOffset: String(firstOffset),
      firstTimestamp,
      partitionLeaderEpoch,
      inTransaction: (attributes & TRANSACTIONAL_FLAG) > 0,
      isControlBatch: (attributes & CONTROL_FLAG) > 0,
      lastOffsetDelta,
      producerId,
      producerEpoch: batch.readInt16(),
      firstSequence: batch.readInt32(),
      maxTimestamp,
      timestampType: (attributes & TIMESTAMP_TYPE_FLAG) > 0 ? LOG_APPEND_TIME : 0,
      magicByte,
    };
    const count = batch.readInt32();
    // What compaction leaves of a batch may be its place. kafkajs would take it for the end of the log and ask for it for ever, so
    // it is told of a control record there, which it passes.
    if (count <= 0) return { ...context, records: [emptied(context, Number(firstOffset) + lastOffsetDelta)] };
    const codec = lookupCodecByAttributes(attributes);
    const body = batch.readAll();
    const bytes = codec === null ? body : await codec.decompress(body);
    return { ...context, records: recordsIn(bytes, count, context) };
  };
}

function emptied(context: BatchContext, offset: number): FetchedRecord {
  return new FetchedRecord({ ...context, isControlBatch: true }, offset, NOTHING, 0);
}

function recordsIn(bytes: Buffer, count: number, context: BatchContext): FetchedRecord[] {
  const first = Number(context.firstOffset);
  const records: FetchedRecord[] = [];
  const position = new Varints(bytes, 0);
  for (let i = 0; i < count; i++) {
    const length = position.next();
    const end = position.at + length;
    if (length < 0 || end > bytes.length) throw new Error("a record in a fetched batch is damaged");
    // Its first byte is unused.
    const start = ++position.at;
    position.next();
    records.push(new FetchedRecord(context, first + position.next(), bytes, start));
    position.at = end;
  }
  return records;
}
