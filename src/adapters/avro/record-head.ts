import avro, { type Type } from "avsc";
import { EARLIEST_AT, GREATEST_ID_BYTES, LATEST_AT } from "../../domain/accept.ts";
import type { Glimpse } from "../../pipeline/ports.ts";
import { instant } from "../../shared/instant.ts";

/** What all facts that people send begin with, in the schemas of this version. */
const HEAD = [
  ["eventId", "string"],
  ["customerId", "string"],
  ["occurredAt", "long"],
] as const;

/** True when records of this schema can be glimpsed at. */
export function beginsWithHead(writer: Type): boolean {
  if (!(writer instanceof avro.types.RecordType)) return false;
  const { fields } = writer;
  return HEAD.every(([name, type], i) => fields[i]?.name === name && fields[i].type.typeName === type);
}

/**
 * What the record that begins at `from` says of itself; null when that is not all as it should be: then whoever decodes the whole of
 * it has to say what is wrong.
 * @param key of the record: it must be the customer's id, in ASCII
 */
export function readHead(bytes: Buffer, from: number, key: Buffer): Glimpse | null {
  const { length } = key;
  if (length === 0 || length > GREATEST_ID_BYTES) return null;
  let at = from;
  // The lengths of texts of up to 63 bytes take one byte, of up to 8191 two.
  const eventIdLength = shortLength(bytes, at);
  if (eventIdLength < 0) return null;
  at += (eventIdLength > 63 ? 2 : 1) + eventIdLength;
  if (shortLength(bytes, at) !== length) return null;
  at += length > 63 ? 2 : 1;
  let bits = 0;
  for (let i = 0; i < length; i++) {
    const byte = key[i] ?? 0;
    if (bytes[at + i] !== byte) return null;
    bits |= byte;
  }
  if (bits >= 0x80) return null;
  at += length;
  const first = bytes[at++] ?? 1;
  // Negative ones are odd.
  if ((first & 1) === 1) return null;
  let occurredAt = (first & 0x7f) >> 1;
  for (let byte = first, scale = 0x40; byte >= 0x80; scale *= 0x80) {
    if (scale > 2 ** 48) return null;
    byte = bytes[at++] ?? 0x80;
    occurredAt += (byte & 0x7f) * scale;
  }
  if (occurredAt < EARLIEST_AT || occurredAt > LATEST_AT) return null;
  return { kind: "glimpse", customerId: key.toString("latin1"), occurredAt: instant(occurredAt) };
}

/** Of a text of up to 8191 bytes, as it is usually written; -1: of another. */
function shortLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 1;
  if ((first & 1) === 1) return -1;
  if (first < 0x80) return first >> 1;
  const second = bytes[at + 1] ?? 0x80;
  const length = ((first & 0x7f) >> 1) | (second << 6);
  return second >= 0x80 || length <= 63 ? -1 : length;
}
