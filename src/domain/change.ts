import type { Instant } from "../shared/instant.ts";
import type { Axis, Classification } from "./classification.ts";

/** S8 `cause.kind`. MERGE and MANUAL are reserved by the wire schema. */
export const CAUSE_KINDS = ["EVENT", "DEADLINE", "LATE", "POLICY", "MERGE", "MANUAL"] as const;
export type CauseKind = (typeof CAUSE_KINDS)[number];

/** The names a deadline can have as `cause.ref` (S7), in the order in which one is chosen when several fall on one instant. */
export const DEADLINES = [
  "lapse",
  "overdue",
  "window-365d",
  "window-730d",
  "interest",
  "survey",
  "tenure",
  "divest-age",
] as const;
export type DeadlineName = (typeof DEADLINES)[number];

export interface EventRef {
  readonly topic: string;
  readonly eventId: string;
}

/** What a transition came from: an event (of several at its instant the smallest), or the deadline's name. */
export interface Cause {
  readonly kind: CauseKind;
  readonly ref: EventRef | DeadlineName | null;
}

export type ReasonValue = string | number | boolean | null;

/** One rule that decided, checkable by hand from the facts (S8). Instants are ISO strings, money minor units, durations days. */
export interface Reason {
  readonly axis: Axis;
  readonly rule: string;
  readonly observed: ReasonValue;
  readonly operator: "=" | "≠" | "<" | "≤" | ">" | "≥" | "in" | "not in";
  readonly threshold: ReasonValue;
}

/** The derived figures of S3 at an instant. Money in minor units of the base currency. */
export interface Facts {
  readonly profile: string;
  /** n: occasions ever. */
  readonly occasionsEver: number;
  readonly occasions365: number;
  readonly occasions730: number;
  /** Occasions in (T − 730 d, T − 365 d] (S6.4). */
  readonly occasionsPriorYear: number;
  /** span(365) in ms. */
  readonly span365Ms: number;
  readonly firstOccasionAt: Instant | null;
  readonly lastOccasionAt: Instant | null;
  readonly revenueMinor: number;
  readonly costMinor: number;
  readonly profitMinor: number;
  readonly units: number;
  /** `null`: unknown, no order in the window names one. */
  readonly categories: number | null;
  readonly survey: number | null;
  /** Some survey ≥ 9 in W(surveyDays): what holds a SPONSOR. */
  readonly promoterInWindow: boolean;
  /** Days beyond terms; rounded to 2 decimals where that leaves it on its side of both thresholds. Rules compare integers (S3.7). */
  readonly dbtDays: number;
  readonly overdue: boolean;
  readonly referrals: number;
  readonly interest: boolean;
  readonly fit: number;
  readonly canBuy: boolean;
  readonly seasonal: boolean;
  /** D of S4.1; `null` when n = 0. */
  readonly lapseAt: Instant | null;
  /** ACCOUNT-or-above without a break since (S6.2). */
  readonly accountSince: Instant | null;
}

/** The next transition if nothing else happens. */
export interface Next {
  readonly at: Instant;
  readonly becomes: Classification;
  readonly deadline: DeadlineName;
}

/** A transition of S7: two of them never share an instant. */
export interface Transition {
  readonly at: Instant;
  readonly previous: Classification | null;
  readonly current: Classification;
  readonly cause: Cause;
}

/** What the domain knows of a change to be published; the pipeline adds seq, decidedAt, origin and policy (S8). */
export interface ChangeDraft {
  readonly changeId: string;
  readonly customerId: string;
  readonly changed: readonly Axis[];
  readonly previous: Classification | null;
  readonly current: Classification;
  readonly effectiveAt: Instant;
  readonly cause: Cause;
  readonly reasons: readonly Reason[];
  readonly facts: Facts;
  readonly next: Next | null;
  readonly levers: string | null;
  readonly supersedes: string | null;
}

export const ORIGINS = ["LIVE", "HISTORY", "POLICY", "REPLAY"] as const;
export type Origin = (typeof ORIGINS)[number];

/** The record of `segment-changes` (S8). */
export interface SegmentChange extends ChangeDraft {
  /** Strictly increases per customer: batch seq · 2²⁰ + index within the batch (A4). A safe integer. */
  readonly seq: number;
  readonly decidedAt: Instant;
  readonly policy: { readonly version: string; readonly hash: string };
  readonly origin: Origin;
}

/** The record of `customer-segments` (I3 *segments*): the latest classification of a customer. */
export interface CustomerSegment {
  readonly customerId: string;
  readonly asOf: Instant;
  readonly classification: Classification;
  readonly facts: Facts;
  readonly next: Next | null;
  readonly seq: number;
  readonly policy: { readonly version: string; readonly hash: string };
}
