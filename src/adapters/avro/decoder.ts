import type { Resolver } from "avsc";
import { acceptEvent, type Decoded } from "../../domain/accept.ts";
import type { CustomerEvent, FactTopic } from "../../domain/events.ts";
import type { Decoder, SourceRecord } from "../../pipeline/ports.ts";
import { OrderReader } from "./order-reader.ts";
import type { SchemaSource } from "./registry.ts";
import { ownType, parseType } from "./schemas.ts";

/** Confluent framing: this byte, the schema id as four bytes, big-endian, then the Avro body. */
const MAGIC = 0;
const PREFIX_BYTES = 5;
/** Header of producers that keep the body bare: MAGIC and the id; or 1 and a GUID, which no look-up here can resolve. */
const ID_HEADER = "__value_schema_id";
/** An id that the registry does not know is asked for again after this long. */
const UNKNOWN_ID_MS = 10_000;
/** So many unknown ids are remembered: random bytes make up new ones without end. */
const GREATEST_UNKNOWN = 10_000;
/** What invalid UTF-8 is read as; a sound text may contain it too. */
const REPLACEMENT = "\ufffd";

/** How records of a schema are read as a topic's. */
interface Reading {
  readonly resolver: Resolver;
  /** They are orders as this version writes them. */
  readonly isOwnOrder: boolean;
}

interface Framed {
  readonly id: number;
  readonly body: Buffer;
}

/**
 * Decodes fact records in Confluent framing, whatever compatible version they were written with. Resolvers are cached by (writer
 * id, topic), so that a known schema is decoded at once, without a promise. Garbage comes back as a dead letter; only a
 * registry that can't be asked throws (RetriableError).
 */
export function createAvroDecoder(registry: SchemaSource): Decoder {
  const readings = new Map<FactTopic, Map<number, Reading | string>>();
  const unknown = new Map<number, number>();

  const learn = async (record: SourceRecord, framed: Framed): Promise<Decoded> => {
    const askedAt = unknown.get(framed.id);
    if (askedAt !== undefined && performance.now() - askedAt < UNKNOWN_ID_MS) return unknownSchema(framed.id);
    const text = await registry.schemaById(framed.id);
    if (text === null) {
      if (unknown.size >= GREATEST_UNKNOWN) unknown.clear();
      unknown.set(framed.id, performance.now());
      return unknownSchema(framed.id);
    }
    unknown.delete(framed.id);
    const reading = readingOf(record.topic, framed.id, text);
    const byId = readings.get(record.topic) ?? new Map<number, Reading | string>();
    readings.set(record.topic, byId.set(framed.id, reading));
    return read(record, framed, reading);
  };

  return {
    decode(record: SourceRecord): Decoded | Promise<Decoded> {
      const framed = frame(record);
      if (typeof framed === "string") return refused(framed);
      const reading = readings.get(record.topic)?.get(framed.id);
      return reading === undefined ? learn(record, framed) : read(record, framed, reading);
    },
  };
}

/** A text says why they can't be read. */
function readingOf(topic: FactTopic, id: number, text: string): Reading | string {
  try {
    const writer = parseType(text);
    const own = ownType(topic);
    return { resolver: own.createResolver(writer), isOwnOrder: topic === "orders" && own.equals(writer) };
  } catch (error) {
    return `schema ${id} can't be read as ${topic}: ${messageOf(error)}`;
  }
}

/** Takes the schema id off the record; a text says why there is none. */
export function frame(record: Pick<SourceRecord, "value" | "headers">): Framed | string {
  const { value } = record;
  if (value === null || value.length === 0) return "the value is empty";
  const bytes = bufferOf(value);
  for (const [name, header] of record.headers) {
    if (name !== ID_HEADER) continue;
    if (header.length === PREFIX_BYTES && header[0] === MAGIC) {
      return { id: bufferOf(header).readUInt32BE(1), body: bytes };
    }
    return `header ${ID_HEADER} holds no schema id of four bytes`;
  }
  if (bytes.length < PREFIX_BYTES || bytes[0] !== MAGIC) return "the value does not begin with a schema id";
  return { id: bytes.readUInt32BE(1), body: bytes.subarray(PREFIX_BYTES) };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const orders = new OrderReader();

function read(record: SourceRecord, framed: Framed, reading: Reading | string): Decoded {
  if (typeof reading === "string") return refused(reading);
  if (reading.isOwnOrder) {
    const order = orders.read(framed.body);
    if (order !== null && isKey(record.key, order.customerId)) return { kind: "event", event: order };
  }
  let raw: unknown;
  try {
    raw = ownType(record.topic).fromBuffer(framed.body, reading.resolver);
  } catch (error) {
    return refused(`the body is not what schema ${framed.id} says: ${messageOf(error)}`);
  }
  const decoded = acceptEvent(record.topic, raw);
  if (decoded.kind === "dead_letter") return decoded;
  if (isDamaged(decoded.event, framed.body)) return refused("a text in the body is not UTF-8");
  if (!isKey(record.key, decoded.event.customerId)) {
    return { kind: "dead_letter", reason: "missing_key", detail: "the record key is not the customerId" };
  }
  return decoded;
}

function isKey(key: Uint8Array | null, customerId: string): boolean {
  if (key === null) return false;
  if (key.length !== customerId.length) return Buffer.compare(key, Buffer.from(customerId, "utf8")) === 0;
  // Only ASCII has as many bytes as characters: no buffer is made of the id.
  for (let i = 0; i < key.length; i++) {
    const code = customerId.charCodeAt(i);
    if (code >= 0x80 || key[i] !== code) return false;
  }
  return true;
}

/**
 * True when some text was not UTF-8: avsc reads what is invalid as U+FFFD, which would make one id of two. A text that holds
 * U+FFFD because its writer wrote so stands in the body as it is.
 */
function isDamaged(event: CustomerEvent, body: Buffer): boolean {
  return holds(event, (text) => text.includes(REPLACEMENT) && !body.includes(text));
}

/** Whether some text in it, names of a map included, is such a one. Runs over every event: it makes no lists of their values. */
function holds(value: unknown, isSuch: (text: string) => boolean): boolean {
  if (typeof value === "string") return isSuch(value);
  if (value === null || typeof value !== "object") return false;
  if (Array.isArray(value)) return value.some((each) => holds(each, isSuch));
  for (const name in value) {
    if (isSuch(name) || holds((value as Record<string, unknown>)[name], isSuch)) return true;
  }
  return false;
}

function refused(detail: string): Decoded {
  return { kind: "dead_letter", reason: "undecodable", detail };
}

function unknownSchema(id: number): Decoded {
  return { kind: "dead_letter", reason: "unknown_schema", detail: `the registry has no schema ${id}` };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
