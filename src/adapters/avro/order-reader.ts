import { EARLIEST_AT, GREATEST_ID_BYTES, GREATEST_UNITS, LATEST_AT } from "../../domain/accept.ts";
import type { OrderClosed, OrderPlaced } from "../../domain/events.ts";
import { internedList, internedText } from "../../domain/interned.ts";
import { instant } from "../../shared/instant.ts";

/** An order as most are; what is anything else is read by those who can say what is wrong with it. */
export type UsualOrder = OrderPlaced | OrderClosed;

/** No number of an order is it: all are 0 or more. */
const UNUSUAL = -1;
const NULL = 0;
/** Branch 1 of a union, as Avro writes it. */
const PRESENT = 2;
const GREATEST_LISTS = 10_000;
/** What these bytes of a list of categories say. */
const lists = new Map<string, readonly string[]>();
const currencies = new Map<number, string>();
const NO_CATEGORIES: readonly string[] = [];

const KINDS = (["PLACED", "PAID", "CANCELLED"] as const).map((kind) => ({
  kind,
  bytes: Buffer.from(kind, "latin1"),
}));

/**
 * Reads orders that were written with `schemas/orders.avsc` itself, field by field, into the event that `acceptEvent` makes of what
 * avsc reads; nine of ten records are such. All texts in it are ASCII. test/adapters/avro/order-reader.test.ts holds the two equal.
 */
export class OrderReader {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** The order that the bytes are; null when it is none of the usual ones, or damaged. */
  read(bytes: Buffer): UsualOrder | null {
    this.#bytes = bytes;
    this.#at = 0;
    const eventId = this.#id();
    const customerId = eventId === null ? null : this.#id();
    if (eventId === null || customerId === null) return null;
    const occurredAt = this.#integer();
    if (occurredAt < EARLIEST_AT || occurredAt > LATEST_AT) return null;
    const orderId = this.#id();
    if (orderId === null) return null;
    const kind = this.#kind();
    if (kind === null) return null;
    const revision = this.#integer();
    if (revision < 0) return null;
    const amountMinor = this.#optionalInteger();
    const currency = this.#currency();
    const costMinor = this.#integer();
    const units = this.#integer();
    if (amountMinor === UNUSUAL || currency === undefined || costMinor < 0 || units < 0) return null;
    const categories = this.#categories();
    const dueAt = this.#optionalInteger();
    if (categories === null || dueAt === UNUSUAL) return null;
    const isReferred = bytes[this.#at++];
    if (isReferred !== NULL && isReferred !== PRESENT) return null;
    const referredBy = isReferred === NULL ? null : this.#id();
    if (isReferred === PRESENT && referredBy === null) return null;
    // The last field says what was refunded: of these orders nothing is.
    if (bytes[this.#at++] !== NULL || this.#at !== bytes.length) return null;
    const base = { topic: "orders", eventId, customerId, occurredAt: instant(occurredAt) } as const;
    if (kind !== "PLACED") return { ...base, orderId, revision, kind };
    if (amountMinor === null || units > GREATEST_UNITS || (dueAt !== null && dueAt > LATEST_AT)) return null;
    return {
      topic: "orders",
      eventId,
      customerId,
      occurredAt: instant(occurredAt),
      orderId,
      revision,
      kind,
      amountMinor,
      currency,
      costMinor,
      units,
      categories,
      dueAt: dueAt === null ? null : instant(dueAt),
      referredBy,
    };
  }

  /** A text of one ASCII character or more, and not too many for an id; null: it is another. */
  #id(): string | null {
    const length = this.#integer();
    if (length <= 0 || length > GREATEST_ID_BYTES) return null;
    return this.#ascii(length);
  }

  #ascii(length: number): string | null {
    const bytes = this.#bytes;
    const start = this.#at;
    const end = start + length;
    if (end > bytes.length) return null;
    let bits = 0;
    for (let i = start; i < end; i++) bits |= bytes[i] ?? 0;
    if (bits >= 0x80) return null;
    this.#at = end;
    return bytes.toString("latin1", start, end);
  }

  /** An integer that is 0 or more and exact; UNUSUAL: it is another, or cut off. */
  #integer(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++] ?? 0x80;
    // Negative ones are odd.
    if ((byte & 1) === 1) return UNUSUAL;
    let value = (byte & 0x7f) >> 1;
    for (let scale = 0x40; byte >= 0x80; scale *= 0x80) {
      if (scale > 2 ** 48) return UNUSUAL;
      byte = bytes[this.#at++] ?? 0x80;
      value += (byte & 0x7f) * scale;
    }
    return value <= Number.MAX_SAFE_INTEGER ? value : UNUSUAL;
  }

  #optionalInteger(): number | null {
    const branch = this.#bytes[this.#at++];
    if (branch === NULL) return null;
    return branch === PRESENT ? this.#integer() : UNUSUAL;
  }

  /** Three capitals, or null; undefined: anything else. */
  #currency(): string | null | undefined {
    const bytes = this.#bytes;
    const branch = bytes[this.#at++];
    if (branch === NULL) return null;
    if (branch !== PRESENT || this.#integer() !== 3) return undefined;
    let code = 0;
    for (let i = 0; i < 3; i++) {
      const byte = bytes[this.#at++] ?? 0;
      if (byte < 0x41 || byte > 0x5a) return undefined;
      code = (code << 8) | byte;
    }
    let currency = currencies.get(code);
    if (currency === undefined) {
      currency = internedText(bytes.toString("latin1", this.#at - 3, this.#at));
      currencies.set(code, currency);
    }
    return currency;
  }

  #kind(): UsualOrder["kind"] | null {
    const bytes = this.#bytes;
    const length = this.#integer();
    for (const { kind, bytes: name } of KINDS) {
      if (name.length !== length) continue;
      for (let i = 0; i < length; i++) if (bytes[this.#at + i] !== name[i]) return null;
      this.#at += length;
      return kind;
    }
    return null;
  }

  /** One block of texts that are not empty, or none; null: anything else. */
  #categories(): readonly string[] | null {
    const bytes = this.#bytes;
    const start = this.#at;
    const count = this.#integer();
    if (count === 0) return NO_CATEGORIES;
    if (count < 0) return null;
    let bits = 0;
    for (let i = 0; i < count; i++) {
      const length = this.#integer();
      const end = this.#at + length;
      if (length <= 0 || end > bytes.length) return null;
      for (; this.#at < end; this.#at++) bits |= bytes[this.#at] ?? 0;
    }
    const end = this.#at;
    if (bits >= 0x80 || bytes[this.#at++] !== 0) return null;
    const written = bytes.toString("latin1", start, end);
    const known = lists.get(written);
    if (known !== undefined) return known;
    const list = this.#listIn(start, count);
    this.#at = end + 1;
    if (lists.size < GREATEST_LISTS) lists.set(written, list);
    return list;
  }

  #listIn(start: number, count: number): readonly string[] {
    this.#at = start;
    this.#integer();
    const texts: string[] = [];
    for (let i = 0; i < count; i++) {
      const length = this.#integer();
      texts.push(this.#bytes.toString("latin1", this.#at, this.#at + length));
      this.#at += length;
    }
    return internedList(texts);
  }
}
