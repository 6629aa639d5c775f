import { parseInstant } from "../../shared/instant.ts";
import { readLine } from "./event-line.ts";
import type { Line } from "./line-splitter.ts";
import { plainInstant } from "./plain-instant.ts";

/** A line with what is known of it without reading it as JSON. */
export interface ScannedLine {
  /** Place of its file among those given. */
  readonly file: number;
  readonly line: Line;
  readonly isKnownUtf8: boolean;
  /** Of the customer's id: all events of one customer have one. */
  readonly hash: number;
  /** `occurredAt`, if the line is an event; -∞: it is none. */
  readonly at: number;
  /** The event may name a referrer. Never false for one that does. */
  readonly mayRefer: boolean;
}

const QUOTE = 0x22;
const ESCAPE = 0x5c;
const COLON = 0x3a;
const GREATEST_SCANNED_ID = 512;

/** All have one length, and an end that is rare within them: a search can leap. */
const CUSTOMER_ID = Buffer.from('"customerId"');
const OCCURRED_AT = Buffer.from('"occurredAt"');
const REFERRED_BY = Buffer.from('"referredBy"');
const KEY_BYTES = CUSTOMER_ID.length;
const NULL_LETTER = 0x6e;

/** By a byte, how far behind it the next key can end at the earliest (Horspool's search). */
const LEAPS = new Uint8Array(256).fill(KEY_BYTES);
for (const key of [CUSTOMER_ID, OCCURRED_AT, REFERRED_BY]) {
  for (const [i, byte] of key.subarray(0, -1).entries()) {
    LEAPS[byte] = Math.min(LEAPS[byte] ?? KEY_BYTES, KEY_BYTES - 1 - i);
  }
}

/**
 * Finds in lines of one file what decides where they go: customer, instant, whether they name a referrer. Almost every line can be looked
 * through for its keys; one that could be read in more than one way (an escape, a key that is there twice or is spaced unusually) is read
 * whole.
 */
export class LineScanner {
  readonly #file: number;

  constructor(file: number) {
    this.#file = file;
  }

  scan(line: Line, isKnownUtf8: boolean): ScannedLine {
    const { bytes } = line;
    let id = -1;
    let instant = -1;
    let referrer = -1;
    let isPlain = line.cutFromBytes === null && !bytes.includes(ESCAPE);
    // Asked for with every byte, the length is half of the work.
    const { length } = bytes;
    for (let last = KEY_BYTES - 1; last < length; last += LEAPS[bytes[last] ?? 0] ?? 1) {
      const start = last - KEY_BYTES + 1;
      if (bytes[last] !== QUOTE || bytes[start] !== QUOTE) continue;
      switch (bytes[start + 1]) {
        case CUSTOMER_ID[1]:
          if (!isAt(bytes, start, CUSTOMER_ID)) break;
          if (id >= 0) isPlain = false;
          id = last + 1;
          break;
        case OCCURRED_AT[1]:
          if (!isAt(bytes, start, OCCURRED_AT)) break;
          if (instant >= 0) isPlain = false;
          instant = last + 1;
          break;
        case REFERRED_BY[1]:
          if (!isAt(bytes, start, REFERRED_BY)) break;
          if (referrer >= 0) isPlain = false;
          referrer = last + 1;
      }
    }
    const hash = isPlain && bytes[id] === COLON ? hashAt(bytes, id + 1) : null;
    const at = isPlain && bytes[instant] === COLON ? instantAt(bytes, instant + 1) : null;
    if (hash === null || at === null) return this.#read(line, isKnownUtf8);
    // null, as many producers write it, names nobody.
    const mayRefer = referrer >= 0 && !(bytes[referrer] === COLON && bytes[referrer + 1] === NULL_LETTER);
    return { file: this.#file, line, isKnownUtf8, hash, at, mayRefer };
  }

  #read(line: Line, isKnownUtf8: boolean): ScannedLine {
    const { decoded } = readLine(line.bytes, line.cutFromBytes, isKnownUtf8);
    const isEvent = decoded.kind === "event" && decoded.event.topic !== "referrals";
    return {
      file: this.#file,
      line,
      isKnownUtf8,
      hash: isEvent ? hashOfId(decoded.event.customerId) : 0,
      at: isEvent ? decoded.event.occurredAt : -Infinity,
      mayRefer: isEvent && "referredBy" in decoded.event && decoded.event.referredBy !== null,
    };
  }
}

/** Of a key whose quotes and first letter are there. */
function isAt(bytes: Buffer, start: number, key: Buffer): boolean {
  for (let i = 2; i < key.length - 1; i++) if (bytes[start + i] !== key[i]) return false;
  return true;
}

/** FNV-1a over the bytes of the text that begins here; null: no plain text does. */
function hashAt(bytes: Buffer, start: number): number | null {
  if (bytes[start] !== QUOTE) return null;
  let hash = FNV_OFFSET;
  const limit = Math.min(bytes.length, start + GREATEST_SCANNED_ID + 2);
  for (let at = start + 1; at < limit; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at === start + 1 ? null : hash >>> 0;
    hash = Math.imul(hash ^ byte, FNV_PRIME);
  }
  return null;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The hash by which the events of a customer find together. */
export function hashOfId(customerId: string): number {
  let hash = FNV_OFFSET;
  for (const byte of Buffer.from(customerId)) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return hash >>> 0;
}

/** The instant that begins here, -∞ for what is none and makes the line no event; null: to be read as JSON. */
function instantAt(bytes: Buffer, start: number): number | null {
  if (bytes[start] !== QUOTE) return digits(bytes, start, bytes.length);
  const close = bytes.indexOf(QUOTE, start + 1);
  if (close < 0) return null;
  const at =
    plainInstant(bytes, start + 1, close) ?? parseInstant(bytes.toString("latin1", start + 1, close));
  return at ?? -Infinity;
}

/** A whole number; null: something else, or too long to be sure. */
function digits(text: Buffer, from: number, end: number): number | null {
  let value = 0;
  let at = from;
  for (; at < end && at < from + 16; at++) {
    const digit = (text[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  const next = text[at];
  const isWhole = at > from && at < from + 16 && (next === 0x2c || next === 0x7d);
  return isWhole && !(text[from] === 0x30 && at > from + 1) ? value : null;
}
