import { plainInstant } from "./plain-instant.ts";

/** Fields of events, each where the last event had it: the reader guesses which comes after which. */
const FIELDS = [
  "topic",
  "kind",
  "eventId",
  "customerId",
  "occurredAt",
  "orderId",
  "revision",
  "amountMinor",
  "currency",
  "costMinor",
  "units",
  "categories",
  "dueAt",
  "referredBy",
  "refundId",
  "inquiryId",
  "handlingCostMinor",
  "surveyId",
  "score",
  "scaleMin",
  "scaleMax",
  "source",
] as const;
type Field = (typeof FIELDS)[number];

/** What a line says, all fields there whether said or not, so that all have one shape. */
export type PlainObject = Record<Field, unknown>;

const KEYS = FIELDS.map((field) => Buffer.from(`${field}"`));
const BY_NAME = new Map<string, number>(FIELDS.map((field, i) => [field, i]));
/** After each field the one that came after it last; the last place is for the first field. */
const followers = new Uint8Array(FIELDS.length + 1);

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
const ESCAPE = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const LETTER_N = 0x6e;
const LAST_PLAIN = 0x7e;
/** Whole numbers of so many digits are exact. */
const GREATEST_DIGITS = 15;

/** Where the last value ended; every reader below moves it. */
let at = 0;
/** Of the line that is read: its end, and all of it as a text, once some of it is wanted. */
let lineStart = 0;
let lineEnd = 0;
let lineText: string | null = null;

/**
 * Reads a line as `JSON.parse` would, in half of its time, if it is as plain as almost all event lines are: known fields with whole numbers,
 * null, or ASCII texts without escapes, and lists of such texts. `occurredAt` comes as a number if it is an instant.
 * @param start of the line in the bytes
 * @returns null when the line is not so plain, or not JSON
 */
export function readPlainObject(bytes: Buffer, start = 0, end = bytes.length): PlainObject | null {
  // What looks past the end does no harm: an object is one that ends there.
  if (bytes[start] !== OPEN) return null;
  const object = newObject();
  let field: number = FIELDS.length;
  lineStart = start;
  lineEnd = end;
  lineText = null;
  at = start + 1;
  for (;;) {
    if (bytes[at] !== QUOTE) return null;
    field = fieldAt(bytes, at + 1, field);
    if (field < 0) return null;
    at += 1 + (KEYS[field]?.length ?? 0);
    if (bytes[at++] !== COLON) return null;
    if (bytes[at] === SPACE) at++;
    const value = valueAt(bytes, field);
    if (value === undefined) return null;
    set(object, field, value);
    const next = bytes[at++];
    if (next === CLOSE) return at === end ? object : null;
    if (next !== COMMA) return null;
    if (bytes[at] === SPACE) at++;
  }
}

/** The place in FIELDS of the key that begins here; -1: none of them. */
function fieldAt(bytes: Buffer, start: number, before: number): number {
  const guess = followers[before] ?? 0;
  const key = KEYS[guess];
  if (key !== undefined && begins(bytes, start, key)) return guess;
  const end = bytes.indexOf(QUOTE, start);
  const field = end < 0 ? undefined : BY_NAME.get(bytes.toString("latin1", start, end));
  if (field === undefined) return -1;
  followers[before] = field;
  return field;
}

function begins(bytes: Buffer, start: number, key: Buffer): boolean {
  const { length } = key;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== key[i]) return false;
  return true;
}

/** undefined: not plain. */
function valueAt(bytes: Buffer, field: number): unknown {
  const first = bytes[at];
  if (first === QUOTE) return textAt(bytes, field);
  if (first === LETTER_N) return nullAt(bytes);
  if (first === OPEN_LIST) return listAt(bytes);
  return numberAt(bytes);
}

function textAt(bytes: Buffer, field: number): string | number | undefined {
  const start = at + 1;
  const end = endOfText(bytes, start);
  if (end < 0) return undefined;
  at = end + 1;
  switch (FIELDS[field]) {
    case "occurredAt":
    case "dueAt":
      return plainInstant(bytes, start, end) ?? bytes.toString("latin1", start, end);
    case "topic":
    case "kind":
    case "currency":
    case "source":
      return sharedText(bytes, start, end);
    case "customerId":
      // Whoever reads customer by customer gets one text for all lines of one.
      if (!isText(bytes, start, end, lastCustomerId)) lastCustomerId = bytes.toString("latin1", start, end);
      return lastCustomerId;
    default:
      return ownText(bytes, start, end);
  }
}

let lastCustomerId = "";

/** V8 copies shorter texts that are cut from another one; a longer one would hold on to all of the line. */
const GREATEST_COPIED = 12;

/** A text that no other line is likely to have. Decoding bytes takes longer than cutting a text: one decoding is enough for several. */
function ownText(bytes: Buffer, start: number, end: number): string {
  if (end - start > GREATEST_COPIED) return bytes.toString("latin1", start, end);
  lineText ??= bytes.toString("latin1", lineStart, lineEnd);
  return lineText.substring(start - lineStart, end - lineStart);
}

/** Where the quote is that ends the text; -1: something else than plain characters comes before it. */
function endOfText(bytes: Buffer, start: number): number {
  const { length } = bytes;
  for (let i = start; i < length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte === QUOTE) return i;
    if (byte < SPACE || byte > LAST_PLAIN || byte === ESCAPE) return -1;
  }
  return -1;
}

function nullAt(bytes: Buffer): null | undefined {
  if (bytes[at + 1] !== 0x75 || bytes[at + 2] !== 0x6c || bytes[at + 3] !== 0x6c) return undefined;
  at += 4;
  return null;
}

function listAt(bytes: Buffer): string[] | undefined {
  const list: string[] = [];
  if (bytes[++at] === CLOSE_LIST) {
    at++;
    return list;
  }
  for (;;) {
    if (bytes[at] !== QUOTE) return undefined;
    const start = at + 1;
    const end = endOfText(bytes, start);
    if (end < 0) return undefined;
    list.push(sharedText(bytes, start, end));
    at = end + 1;
    const next = bytes[at++];
    if (next === CLOSE_LIST) return list;
    if (next !== COMMA) return undefined;
    if (bytes[at] === SPACE) at++;
  }
}

function numberAt(bytes: Buffer): number | undefined {
  const start = at;
  let value = 0;
  for (; at < start + GREATEST_DIGITS; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  const isWhole = at > start && (at === start + 1 || bytes[start] !== 0x30);
  return isWhole ? value : undefined;
}

/** A power of two. */
const SHARED_TEXTS = 1024;
const texts = new Array<string>(SHARED_TEXTS).fill("");

/** A text that many lines have: mostly one that was made before. */
function sharedText(bytes: Buffer, start: number, end: number): string {
  let hash = 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash, 31) + (bytes[i] ?? 0);
  const place = hash & (SHARED_TEXTS - 1);
  const known = texts[place] ?? "";
  if (isText(bytes, start, end, known)) return known;
  const text = bytes.toString("latin1", start, end);
  texts[place] = text;
  return text;
}

function isText(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

function newObject(): PlainObject {
  return {
    topic: undefined,
    kind: undefined,
    eventId: undefined,
    customerId: undefined,
    occurredAt: undefined,
    orderId: undefined,
    revision: undefined,
    amountMinor: undefined,
    currency: undefined,
    costMinor: undefined,
    units: undefined,
    categories: undefined,
    dueAt: undefined,
    referredBy: undefined,
    refundId: undefined,
    inquiryId: undefined,
    handlingCostMinor: undefined,
    surveyId: undefined,
    score: undefined,
    scaleMin: undefined,
    scaleMax: undefined,
    source: undefined,
  };
}

function set(object: PlainObject, field: number, value: unknown): void {
  switch (FIELDS[field]) {
    case "topic":
      object.topic = value;
      return;
    case "kind":
      object.kind = value;
      return;
    case "eventId":
      object.eventId = value;
      return;
    case "customerId":
      object.customerId = value;
      return;
    case "occurredAt":
      object.occurredAt = value;
      return;
    case "orderId":
      object.orderId = value;
      return;
    case "revision":
      object.revision = value;
      return;
    case "amountMinor":
      object.amountMinor = value;
      return;
    case "currency":
      object.currency = value;
      return;
    case "costMinor":
      object.costMinor = value;
      return;
    case "units":
      object.units = value;
      return;
    case "categories":
      object.categories = value;
      return;
    case "dueAt":
      object.dueAt = value;
      return;
    case "referredBy":
      object.referredBy = value;
      return;
    case "refundId":
      object.refundId = value;
      return;
    case "inquiryId":
      object.inquiryId = value;
      return;
    case "handlingCostMinor":
      object.handlingCostMinor = value;
      return;
    case "surveyId":
      object.surveyId = value;
      return;
    case "score":
      object.score = value;
      return;
    case "scaleMin":
      object.scaleMin = value;
      return;
    case "scaleMax":
      object.scaleMax = value;
      return;
    case "source":
      object.source = value;
      return;
  }
}
