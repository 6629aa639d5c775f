import { instant, parseInstant, type Instant } from "../shared/instant.ts";
import {
  FACT_TOPICS,
  INQUIRY_KINDS,
  type CustomerEvent,
  type DeadLetterReason,
  type FactTopic,
  type InquiryKind,
  type ReferralSpan,
} from "./events.ts";
import { internedList, internedText } from "./interned.ts";

/** What a record was read as. */
export type Decoded =
  | { readonly kind: "event"; readonly event: CustomerEvent }
  | { readonly kind: "dead_letter"; readonly reason: DeadLetterReason; readonly detail: string };

/** Ids longer than this (UTF-8 bytes) are refused: they travel in keys and receipts. */
export const GREATEST_ID_BYTES = 512;

/** As for amounts (money.ts): sums of a customer with up to 9 000 such orders in a year stay exact. */
export const GREATEST_UNITS = 1e12;
/** Instants that are no mistake, ms since the epoch. */
export const EARLIEST_AT = Date.UTC(1990, 0, 1);
export const LATEST_AT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const CURRENCY = /^[A-Z]{3}$/;

type Fields = Readonly<Record<string, unknown>>;

/** Ends the reading of one record; caught in `acceptEvent`, never outside. */
class FieldError extends Error {
  readonly reason: DeadLetterReason;

  constructor(reason: DeadLetterReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/**
 * Reads an untyped object, decoded from Avro or parsed from a line (I2), as an event of a topic, filling in the defaults of S2.
 * What can't be used comes back as a dead letter that names the field (S2.3 invalid_field, invalid_scale, invalid_time).
 */
export function acceptEvent(topic: FactTopic, raw: unknown): Decoded {
  try {
    if (raw === null || typeof raw !== "object" || Array.isArray(raw)) {
      throw new FieldError("invalid_field", "the record is not an object");
    }
    return { kind: "event", event: read(topic, raw as Fields) };
  } catch (error) {
    if (error instanceof FieldError)
      return { kind: "dead_letter", reason: error.reason, detail: error.message };
    throw error;
  }
}

export function isFactTopic(topic: unknown): topic is FactTopic {
  return FACT_TOPICS.includes(topic as FactTopic);
}

function read(topic: FactTopic, fields: Fields): CustomerEvent {
  switch (topic) {
    case "orders":
      return order(fields);
    case "inquiries":
      return {
        topic,
        eventId: id(fields, "eventId"),
        customerId: id(fields, "customerId"),
        occurredAt: occurredAt(fields),
        inquiryId: id(fields, "inquiryId"),
        kind: inquiryKind(fields),
        revision: count(fields, "revision", 0),
        handlingCostMinor: count(fields, "handlingCostMinor", 0),
        currency: currency(fields),
      };
    case "surveys":
      return survey(fields);
    case "customers":
      return register(fields);
    case "referrals":
      return {
        topic,
        customerId: id(fields, "customerId"),
        referredId: id(fields, "referredId"),
        orderId: id(fields, "orderId"),
        version: count(fields, "version"),
        spans: spans(fields),
      };
  }
}

function order(fields: Fields): CustomerEvent {
  const kind = fields["kind"];
  const base = {
    topic: "orders",
    eventId: id(fields, "eventId"),
    customerId: id(fields, "customerId"),
    occurredAt: occurredAt(fields),
    orderId: id(fields, "orderId"),
    revision: count(fields, "revision", 0),
  } as const;
  switch (kind) {
    case "PLACED":
      return {
        ...base,
        kind,
        amountMinor: count(fields, "amountMinor"),
        currency: currency(fields),
        costMinor: count(fields, "costMinor", 0),
        units: units(fields),
        categories: categories(fields),
        dueAt: optionalInstant(fields, "dueAt"),
        referredBy: optionalId(fields, "referredBy"),
      };
    case "PAID":
    case "CANCELLED":
      return { ...base, kind };
    case "REFUNDED":
      return { ...base, kind, refundId: id(fields, "refundId"), amountMinor: count(fields, "amountMinor") };
    default:
      throw invalid("kind", "must be PLACED, PAID, CANCELLED or REFUNDED", kind);
  }
}

function survey(fields: Fields): CustomerEvent {
  const scaleMin = count(fields, "scaleMin");
  const scaleMax = count(fields, "scaleMax", 10);
  const score = fields["score"];
  if ((scaleMin !== 0 && scaleMin !== 1) || scaleMax !== 10) {
    throw new FieldError("invalid_scale", `scale ${scaleMin}–${scaleMax}: it must be 0–10 or 1–10`);
  }
  if (typeof score !== "number" || !Number.isInteger(score))
    throw invalid("score", "must be an integer", score);
  if (score < scaleMin || score > scaleMax) {
    throw new FieldError("invalid_scale", `score ${score} is not on the scale ${scaleMin}–${scaleMax}`);
  }
  return {
    topic: "surveys",
    eventId: id(fields, "eventId"),
    customerId: id(fields, "customerId"),
    occurredAt: occurredAt(fields),
    surveyId: id(fields, "surveyId"),
    score: withoutSign(score),
    scaleMin,
    scaleMax,
    revision: count(fields, "revision", 0),
  };
}

function register(fields: Fields): CustomerEvent {
  const kind = fields["kind"];
  const base = {
    topic: "customers",
    eventId: id(fields, "eventId"),
    customerId: id(fields, "customerId"),
    occurredAt: occurredAt(fields),
    source: text(fields, "source"),
  } as const;
  if (kind === "ERASED") return { ...base, kind };
  if (kind !== "RECORDED") throw invalid("kind", "must be RECORDED or ERASED", kind);
  return { ...base, kind, attributes: attributes(fields) };
}

function invalid(field: string, must: string, found: unknown): FieldError {
  return new FieldError("invalid_field", `${field}: ${must}, not ${shown(found)}`);
}

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "string")
    return value.length > 40 ? `a text of ${value.length} characters` : JSON.stringify(value);
  return typeof value === "number" || typeof value === "boolean" || value === null
    ? String(value)
    : `a ${typeof value}`;
}

function id(fields: Fields, field: string): string {
  const value = fields[field];
  if (typeof value !== "string" || value.length === 0)
    throw invalid(field, "must be a text that is not empty", value);
  if (!value.isWellFormed()) throw invalid(field, "must be Unicode", value);
  // UTF-8 takes at most three bytes for each UTF-16 unit.
  if (value.length > GREATEST_ID_BYTES / 3 && utf8Length(value) > GREATEST_ID_BYTES) {
    throw invalid(field, `must have at most ${GREATEST_ID_BYTES} bytes`, value);
  }
  return value;
}

function utf8Length(value: string): number {
  let length = 0;
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
}

function optionalId(fields: Fields, field: string): string | null {
  return fields[field] === undefined || fields[field] === null ? null : id(fields, field);
}

function text(fields: Fields, field: string): string {
  const value = fields[field];
  if (!isText(value)) throw invalid(field, "must be a text", value);
  return value;
}

/** Half a surrogate pair, which JSON can hold, is no text: as UTF-8 all of them are one. */
function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed();
}

/** An integer that is not negative, exact in a double; `absent` for a missing or null one, which is refused without it. */
function count(fields: Fields, field: string, absent?: number): number {
  const value = fields[field];
  if (absent !== undefined && (value === undefined || value === null)) return absent;
  if (typeof value !== "number" || !Number.isSafeInteger(value))
    throw invalid(field, "must be an integer", value);
  if (value < 0) throw invalid(field, "must not be negative", value);
  return withoutSign(value);
}

function units(fields: Fields): number {
  const value = count(fields, "units", 0);
  if (value > GREATEST_UNITS) throw invalid("units", `must be at most ${GREATEST_UNITS}`, value);
  return value;
}

/** JSON has a minus zero, Avro has none: it is zero. */
function withoutSign(value: number): number {
  return value === 0 ? 0 : value;
}

function currency(fields: Fields): string | null {
  const value = fields["currency"];
  if (value === undefined || value === null) return null;
  if (typeof value !== "string" || !CURRENCY.test(value))
    throw invalid("currency", "must be an ISO 4217 code", value);
  return internedText(value);
}

function occurredAt(fields: Fields): Instant {
  const at = parseInstant(fields["occurredAt"]);
  if (at === null)
    throw invalid("occurredAt", "must be milliseconds or ISO 8601 with offset", fields["occurredAt"]);
  if (at < EARLIEST_AT || at > LATEST_AT) {
    throw new FieldError("invalid_time", `occurredAt: ${at} ms is before 1990 or after 9999`);
  }
  return at;
}

function optionalInstant(fields: Fields, field: string): Instant | null {
  const value = fields[field];
  if (value === undefined || value === null) return null;
  const at = parseInstant(value);
  if (at === null || Math.abs(at) > LATEST_AT)
    throw invalid(field, "must be milliseconds or ISO 8601 with offset", value);
  return instant(withoutSign(at));
}

const NO_CATEGORIES: readonly string[] = [];

function categories(fields: Fields): readonly string[] {
  const value = fields["categories"];
  if (value === undefined || value === null) return NO_CATEGORIES;
  if (!Array.isArray(value) || value.some((entry) => !isText(entry) || entry === "")) {
    throw invalid("categories", "must be a list of texts that are not empty", value);
  }
  return value.length === 0 ? NO_CATEGORIES : internedList(value as string[]);
}

function inquiryKind(fields: Fields): InquiryKind {
  const value = fields["kind"];
  if (!INQUIRY_KINDS.includes(value as InquiryKind))
    throw invalid("kind", `must be one of ${INQUIRY_KINDS.join(", ")}`, value);
  return value as InquiryKind;
}

function attributes(fields: Fields): Readonly<Record<string, string | null>> {
  const value = fields["attributes"];
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw invalid("attributes", "must be a map", value);
  for (const [name, entry] of Object.entries(value)) {
    if (!name.isWellFormed()) throw invalid("attributes", "must have names that are Unicode", name);
    if (entry !== null && !isText(entry))
      throw invalid(`attributes.${name}`, "must be a text or null", entry);
  }
  return value as Record<string, string | null>;
}

function spans(fields: Fields): readonly ReferralSpan[] {
  const value = fields["spans"];
  if (!Array.isArray(value)) throw invalid("spans", "must be a list", value);
  return value.map((span: unknown) => {
    const part = (span ?? {}) as Fields;
    const at = parseInstant(part["at"]);
    const from = parseInstant(part["from"]);
    if (at === null || from === null) throw invalid("spans", "must have at and from", span);
    // What is reckoned from an instant must be one, too.
    if (Math.abs(at) > LATEST_AT || Math.abs(from) > LATEST_AT)
      throw invalid("spans", "must lie before the year 10000", span);
    return { at, from, until: optionalInstant(part, "until") };
  });
}
