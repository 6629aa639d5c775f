import type { Instant } from "../shared/instant.ts";
import type { Cause } from "./change.ts";
import type { Classification } from "./classification.ts";
import type { InquiryKind, ReferralSpan } from "./events.ts";

/**
 * What is kept of a customer: facts, not sums. Plain data, so that any codec can store it; the running figures that make
 * an in-order event cheap are rebuilt from it on load (see customer.ts).
 *
 * Of each fact all versions are kept (S2.1), ascending by (at, eventId); almost always there is just one.
 */
export interface CustomerState {
  readonly customerId: string;
  /** Orders in the order of arrival; `page` says which part of the stored state holds each (A7 heavy customers). */
  orders: OrderFact[];
  inquiries: InquiryFact[];
  surveys: SurveyFact[];
  /** Register events, ascending by (at, eventId). */
  register: RegisterRecord[];
  /** Referrals this customer gave (S3.8), one per (referredId, orderId). */
  referrals: ReferralFact[];
  /** Greatest `occurredAt` among the facts kept and settled (S2.4); null while there is none. */
  newestAt: Instant | null;
  /** The last instant evaluated (S7.2); null before the first. */
  evaluatedAt: Instant | null;
  /** The fold's memory at `evaluatedAt`; null before the first evaluation and after an erasure. */
  standing: Standing | null;
  /** Where the re-fold starts once facts have been settled and dropped (S2.4); null: at the beginning. */
  base: Base | null;
  /** The classification last published; null: none, or withdrawn by a tombstone. */
  published: Published | null;
  /** `occurredAt` of the latest erasure (S2.5). */
  erasedAt: Instant | null;
  /** Orders with `page` < `tailPage` sit in parts of their own, those with `page` = `tailPage` in the head. */
  tailPage: number;
  /** Pages before this one are gone: all their orders have been settled and dropped. */
  firstPage: number;
}

/** Most facts have none of most things: they share this list. Lists of a fact are replaced, never changed in place. */
export const NONE: readonly never[] = [];

export interface OrderVersion {
  readonly at: Instant;
  readonly revision: number;
  readonly eventId: string;
  readonly amountMinor: number;
  /** `null`: the policy's base currency. */
  readonly currency: string | null;
  readonly costMinor: number;
  readonly units: number;
  readonly categories: readonly string[];
  readonly dueAt: Instant | null;
  readonly referredBy: string | null;
}

export interface Closing {
  readonly at: Instant;
  readonly eventId: string;
}

export interface RefundVersion {
  readonly at: Instant;
  readonly revision: number;
  readonly eventId: string;
  readonly amountMinor: number;
}

export interface RefundFact {
  readonly refundId: string;
  versions: readonly RefundVersion[];
}

export interface OrderFact {
  readonly orderId: string;
  /** PLACED; empty while only payments, cancellations or refunds are known. */
  versions: readonly OrderVersion[];
  /** Ascending by (at, eventId): the first one counts. */
  paid: readonly Closing[];
  cancelled: readonly Closing[];
  refunds: readonly RefundFact[];
  page: number;
}

export interface InquiryVersion {
  readonly at: Instant;
  readonly revision: number;
  readonly eventId: string;
  readonly kind: InquiryKind;
  readonly handlingCostMinor: number;
  readonly currency: string | null;
}

export interface InquiryFact {
  readonly inquiryId: string;
  versions: readonly InquiryVersion[];
}

export interface SurveyVersion {
  readonly at: Instant;
  readonly revision: number;
  readonly eventId: string;
  readonly score: number;
}

export interface SurveyFact {
  readonly surveyId: string;
  versions: readonly SurveyVersion[];
}

export interface RegisterRecord {
  readonly at: Instant;
  readonly eventId: string;
  readonly source: string;
  /** null removes the attribute (S2.2). */
  readonly attributes: readonly (readonly [name: string, value: string | null])[];
}

export interface ReferralFact {
  readonly referredId: string;
  readonly orderId: string;
  version: number;
  spans: readonly ReferralSpan[];
}

export interface Standing {
  readonly classification: Classification;
  /** The transition that led to it. */
  readonly since: Instant;
  readonly cause: Cause;
  /** ACCOUNT-or-above, after caps, without a break since (S6.2). */
  readonly accountSince: Instant | null;
}

/** A checkpoint below which nothing can change any more: the fold's memory at `at`, and the totals of what was dropped. */
export interface Base {
  readonly at: Instant;
  readonly standing: Standing | null;
  /** Occasions dropped from the facts; they still count into n (S4.4). */
  readonly occasionsDropped: number;
  /** t₁ when its order was dropped. */
  readonly firstOccasionAt: Instant | null;
}

export interface Published {
  readonly classification: Classification;
  readonly changeId: string;
}
