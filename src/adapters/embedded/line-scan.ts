import { parseInstant } from "../../shared/instant.ts";
import { recordOfLine } from "./event-line.ts";
import type { Line } from "./line-splitter.ts";

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
const COLON = 0x3a;
const GREATEST_SCANNED_ID = 512;

/**
 * Finds in lines what decides where they go: customer, instant, whether they name a referrer. Almost every line can be looked through for
 * its keys; one that could be read in more than one way (an escape, a key that is there twice or is spaced unusually) is read whole.
 */
export class LineScanner {
  readonly #file: number;
  readonly #name: string;
  readonly #customerId = new Finder('"customerId"');
  readonly #occurredAt = new Finder('"occurredAt"');
  readonly #referredBy = new Finder('"referredBy"');
  readonly #escape = new Finder("\\");

  constructor(file: number, name: string) {
    this.#file = file;
    this.#name = name;
  }

  /** `chunk`: what the line is a view into, where it is one. */
  scan(line: Line, chunk: Buffer, isKnownUtf8: boolean): ScannedLine {
    const { bytes } = line;
    const offset = bytes.buffer === chunk.buffer ? bytes.byteOffset - chunk.byteOffset : -1;
    const isView = offset >= 0 && offset + bytes.length <= chunk.length;
    const text = isView ? chunk : bytes;
    const start = isView ? offset : 0;
    const end = start + bytes.length;
    const id = this.#customerId.only(text, start, end);
    const instant = this.#occurredAt.only(text, start, end);
    if (id < 0 || instant < 0 || this.#escape.next(text, start, end) >= 0 || line.cutFromBytes !== null) {
      return this.#read(line, isKnownUtf8);
    }
    const hash = hashAfterKey(text, id, end);
    const at = instantAfterKey(text, instant, end);
    if (hash === null || at === null) return this.#read(line, isKnownUtf8);
    return { file: this.#file, line, isKnownUtf8, hash, at, mayRefer: this.#mayRefer(text, start, end) };
  }

  #mayRefer(text: Buffer, start: number, end: number): boolean {
    if (this.#referredBy.next(text, start, end) < 0) return false;
    const only = this.#referredBy.only(text, start, end);
    // null, as many producers write it, names nobody.
    return only < 0 || text[only + 12] !== COLON || text[only + 13] !== 0x6e;
  }

  #read(line: Line, isKnownUtf8: boolean): ScannedLine {
    const { decoded } = recordOfLine(this.#name, line, isKnownUtf8);
    const isEvent = decoded?.kind === "event" && decoded.event.topic !== "referrals";
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

/** The places of a text in a chunk, each looked for once: lines are asked in their order. */
class Finder {
  readonly #needle: Buffer;
  #text: Buffer | null = null;
  /** The first place at or after where was last looked; ∞: none. */
  #at = -1;

  constructor(needle: string) {
    this.#needle = Buffer.from(needle);
  }

  /** The first place within [start, end); -1: none. */
  next(text: Buffer, start: number, end: number): number {
    if (this.#text !== text || this.#at < start) this.#look(text, start);
    return this.#at < end ? this.#at : -1;
  }

  /** The only place within [start, end); -1: none, or more than one. */
  only(text: Buffer, start: number, end: number): number {
    const at = this.next(text, start, end);
    if (at < 0) return -1;
    this.#look(text, at + this.#needle.length);
    return this.#at < end ? -1 : at;
  }

  #look(text: Buffer, from: number): void {
    this.#text = text;
    const at = text.indexOf(this.#needle, from);
    this.#at = at < 0 ? Infinity : at;
  }
}

/** FNV-1a over the bytes of the text that follows a key; null: no plain text does. */
function hashAfterKey(text: Buffer, key: number, end: number): number | null {
  const from = key + 14;
  if (text[from - 2] !== COLON || text[from - 1] !== QUOTE) return null;
  let hash = FNV_OFFSET;
  const limit = Math.min(end, from + GREATEST_SCANNED_ID + 1);
  for (let at = from; at < limit; at++) {
    const byte = text[at] ?? 0;
    if (byte === QUOTE) return at === from ? null : hash >>> 0;
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

/** The instant that follows a key, -∞ for what is none and makes the line no event; null: to be read as JSON. */
function instantAfterKey(text: Buffer, key: number, end: number): number | null {
  const from = key + 13;
  if (text[from - 1] !== COLON) return null;
  if (text[from] !== QUOTE) return digits(text, from, end);
  const close = text.indexOf(QUOTE, from + 1);
  if (close < 0 || close >= end) return null;
  const at = plainInstant(text, from + 1, close) ?? parseInstant(text.toString("latin1", from + 1, close));
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

/** The date of the last call and its midnight: lines in order share it. */
let dateKey = -1;
let midnight = 0;

/** `2025-01-31T09:30:00Z` or `2025-01-31T09:30:00.000Z`, of days that every month has; null: another form. */
function plainInstant(text: Buffer, from: number, to: number): number | null {
  const length = to - from;
  if ((length !== 20 && length !== 24) || text[to - 1] !== 0x5a) return null;
  const two = (at: number): number => {
    const tens = (text[from + at] ?? 0) - 0x30;
    const ones = (text[from + at + 1] ?? 0) - 0x30;
    return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
  };
  const hours = two(11);
  const minutes = two(14);
  const seconds = two(17);
  const isTime =
    text[from + 4] === 0x2d &&
    text[from + 7] === 0x2d &&
    text[from + 10] === 0x54 &&
    text[from + 13] === COLON &&
    text[from + 16] === COLON &&
    hours <= 23 &&
    minutes <= 59 &&
    seconds <= 59;
  const key = (two(0) * 100 + two(2)) * 10_000 + two(5) * 100 + two(8);
  if (!isTime || Number.isNaN(key)) return null;
  let millis = 0;
  if (length === 24) {
    millis = two(20) * 10 + ((text[from + 22] ?? 0) - 0x30);
    const last = (text[from + 22] ?? 0) - 0x30;
    if (text[from + 19] !== 0x2e || Number.isNaN(millis) || last < 0 || last > 9) return null;
  }
  if (key !== dateKey) {
    const [year, month, day] = [two(0) * 100 + two(2), two(5), two(8)];
    if (year < 1000 || month < 1 || month > 12 || day < 1 || day > 28) return null;
    midnight = Date.UTC(year, month - 1, day);
    dateKey = key;
  }
  return midnight + ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis;
}
