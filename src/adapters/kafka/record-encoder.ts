import type { IHeaders, Message } from "kafkajs";

/** What kafkajs calls with; `timestampDelta` in ms. */
interface RecordToEncode extends Pick<Message, "key" | "value"> {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly headers?: IHeaders;
}

/** As much of kafkajs's own encoder as it asks an encoded record for. */
interface EncodedRecord {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

type Bytes = Buffer | string;

/**
 * A record of a batch (message format 2: https://kafka.apache.org/documentation/#record) in one buffer of its exact size.
 * kafkajs 2.2.4 makes a zeroed buffer of 512 bytes for the record and for each header, and one for each number: with the seven
 * headers of a change that costs 12 µs a record and 5 KB, this 2 µs.
 */
export function encodeRecord({
  offsetDelta = 0,
  timestampDelta = 0,
  key,
  value,
  headers,
}: RecordToEncode): EncodedRecord {
  const pairs = headers === undefined ? NO_PAIRS : pairsOf(headers);
  let body = 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + sizeOf(key) + sizeOf(value);
  body += varintSize(pairs.length >> 1);
  for (const part of pairs) body += sizeOf(part);
  const bytes = Buffer.allocUnsafe(varintSize(body) + body);
  let at = writeVarint(bytes, 0, body);
  bytes[at++] = 0;
  at = writeVarint(bytes, at, timestampDelta);
  at = writeVarint(bytes, at, offsetDelta);
  at = write(bytes, at, key);
  at = write(bytes, at, value);
  at = writeVarint(bytes, at, pairs.length >> 1);
  for (const part of pairs) at = write(bytes, at, part);
  return { buf: bytes, buffer: bytes };
}

const NO_PAIRS: readonly (Bytes | null)[] = [];

/** Name, value, name, value …; a header that is given several times has a list. */
function pairsOf(headers: IHeaders): (Bytes | null)[] {
  const pairs: (Bytes | null)[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (Array.isArray(value)) for (const each of value) pairs.push(name, each);
    else pairs.push(name, value ?? null);
  }
  return pairs;
}

function lengthOf(part: Bytes): number {
  return typeof part === "string" ? Buffer.byteLength(part, "utf8") : part.length;
}

function sizeOf(part: Bytes | null | undefined): number {
  if (part === null || part === undefined) return 1;
  const length = lengthOf(part);
  return varintSize(length) + length;
}

function write(bytes: Buffer, at: number, part: Bytes | null | undefined): number {
  if (part === null || part === undefined) return writeVarint(bytes, at, -1);
  const start = writeVarint(bytes, at, lengthOf(part));
  if (typeof part === "string") return start + bytes.write(part, start, "utf8");
  bytes.set(part, start);
  return start + part.length;
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function writeVarint(bytes: Buffer, at: number, value: number): number {
  let rest = zigzag(value);
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}
