import type { Instant } from "../shared/instant.ts";

/** The topics of facts that a business writes (S2), by their logical names (a prefix is configuration). */
export const INPUT_TOPICS = ["orders", "inquiries", "surveys", "customers"] as const;
/** S2 topics plus the internal one that carries referrals between shards (A6). */
export const FACT_TOPICS = [...INPUT_TOPICS, "referrals"] as const;
export type FactTopic = (typeof FACT_TOPICS)[number];

interface EventBase {
  readonly eventId: string;
  /** The record key: the customer whose fact this is. */
  readonly customerId: string;
  readonly occurredAt: Instant;
}

/** An order was placed, or a later revision of it (S2.1: greatest (revision, occurredAt, eventId) wins, whole). */
export interface OrderPlaced extends EventBase {
  readonly topic: "orders";
  readonly kind: "PLACED";
  readonly orderId: string;
  readonly revision: number;
  /** Minor units of `currency`; safe integer ≥ 0. Zero never stands (S3.1). */
  readonly amountMinor: number;
  /** ISO 4217 code; `null` means the policy's base currency. */
  readonly currency: string | null;
  readonly costMinor: number;
  readonly units: number;
  readonly categories: readonly string[];
  readonly dueAt: Instant | null;
  readonly referredBy: string | null;
}

/** The order was paid, or cancelled; the smallest (occurredAt, eventId) wins (S2.1). */
export interface OrderClosed extends EventBase {
  readonly topic: "orders";
  readonly kind: "PAID" | "CANCELLED";
  readonly orderId: string;
  readonly revision: number;
}

/** Part of the order's amount was given back, in the order's currency. */
export interface OrderRefunded extends EventBase {
  readonly topic: "orders";
  readonly kind: "REFUNDED";
  readonly orderId: string;
  readonly refundId: string;
  readonly revision: number;
  readonly amountMinor: number;
}

export const INQUIRY_KINDS = ["INFORMATION", "QUOTE", "VISIT", "SUPPORT", "COMPLAINT"] as const;
export type InquiryKind = (typeof INQUIRY_KINDS)[number];

export interface Inquiry extends EventBase {
  readonly topic: "inquiries";
  readonly inquiryId: string;
  readonly kind: InquiryKind;
  readonly revision: number;
  readonly handlingCostMinor: number;
  readonly currency: string | null;
}

export interface Survey extends EventBase {
  readonly topic: "surveys";
  readonly surveyId: string;
  /** Integer within scaleMin … scaleMax; otherwise it never gets here (`invalid_scale`). */
  readonly score: number;
  readonly scaleMin: 0 | 1;
  readonly scaleMax: 10;
  readonly revision: number;
}

/** Attributes of the register (S2.2): a null value removes the attribute. */
export interface CustomerRecorded extends EventBase {
  readonly topic: "customers";
  readonly kind: "RECORDED";
  readonly source: string;
  readonly attributes: Readonly<Record<string, string | null>>;
}

/** Everything with `occurredAt` ≤ this one's is deleted (S2.5). */
export interface CustomerErased extends EventBase {
  readonly topic: "customers";
  readonly kind: "ERASED";
  readonly source: string;
}

/** While an order stood and named its referrer: from ≤ T < until (S3.8). `at` is the order's instant in that time. */
export interface ReferralSpan {
  readonly at: Instant;
  readonly from: Instant;
  /** `null`: it still stands. */
  readonly until: Instant | null;
}

/**
 * Internal (A6): the shard of the customer who ordered tells the referrer's shard all spans in which that order stood
 * and named the referrer. One upsert per (orderId, referredId); the greatest `version` wins; no spans = as if it had never been.
 */
export interface Referral {
  readonly topic: "referrals";
  /** The referrer: the record key. */
  readonly customerId: string;
  /** The customer who ordered. */
  readonly referredId: string;
  readonly orderId: string;
  /** Grows with each upsert of one order: the `seq` space of the sending shard (see change.ts). */
  readonly version: number;
  readonly spans: readonly ReferralSpan[];
}

export type CustomerEvent =
  OrderPlaced | OrderClosed | OrderRefunded | Inquiry | Survey | CustomerRecorded | CustomerErased | Referral;

/** Why a record is refused to the dead-letter topic (S2.3). */
export const DEAD_LETTER_REASONS = [
  "undecodable",
  "unknown_schema",
  "missing_key",
  "invalid_field",
  "unknown_currency",
  "invalid_scale",
  "future_event",
  "invalid_time",
  "too_late",
] as const;
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

/** Why an accepted record changed nothing; counted, never an error. */
export const SKIP_REASONS = ["duplicate", "superseded", "erased"] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];
