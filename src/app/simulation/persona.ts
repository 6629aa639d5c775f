import type { InquiryKind } from "../../domain/events.ts";
import type { Range } from "./random.ts";

/** When a habit comes: first so long after its phase begins (or since the last time, if none is given), then again and again. Days. */
export interface Rhythm {
  readonly afterDays?: Range;
  /** null: only once in the phase. */
  readonly everyDays: Range | null;
}

export interface Buying {
  readonly rhythm: Rhythm;
  /** What a basket costs, in minor units of the shop's currency. */
  readonly amountMinor: Range;
  /** What it costs the shop, as a share of the amount; above 1 the shop loses on it. */
  readonly costShare: Range;
  /** Only in these calendar months (1…12, UTC); all, if not given. */
  readonly months?: readonly number[];
  /** Chances, per order, that it is cancelled within a day, sent back whole, or sent back in part. */
  readonly cancelled?: number;
  readonly returned?: number;
  readonly partlyReturned?: number;
}

export interface Asking {
  readonly rhythm: Rhythm;
  readonly kinds: readonly InquiryKind[];
  readonly handlingCostMinor: Range;
}

export interface Answering {
  readonly rhythm: Rhythm;
  readonly score: Range;
}

/** A stretch of a customer's life in which it keeps its habits; without a habit it does not do that. */
export interface Phase {
  /** How long; the last phase lasts to the end of the run. */
  readonly days?: Range;
  readonly buying?: Buying;
  readonly asking?: Asking;
  readonly answering?: Answering;
  /** Dealers: when an invoice is paid, in days from the day it is due (negative: early). Others pay at once, which is not told. */
  readonly paidAfterDueDays?: Range;
  /** The phase ends with the wish to be forgotten, and the customer is not heard of again. */
  readonly erasedAtEnd?: true;
}

/** A kind of customer, as data: who it is in the register, and its life. */
export interface Persona {
  readonly name: string;
  /** One sentence for people. */
  readonly about: string;
  /** Its share of a run's customers, in parts; every persona has at least one member when there are enough customers. */
  readonly parts: number;
  /** When its members join, in days from the start of the run. */
  readonly joinsAfterDays: Range;
  /** What the register knows on the day of joining; null: it is in no register. */
  readonly attributes: Readonly<Record<string, readonly string[]>> | null;
  /** How many of the catalogue's categories its members ever buy from. */
  readonly favourites: Range;
  /** Terms of payment of invoices in days; absent: no invoices. */
  readonly termsDays?: number;
  /** Its members may name a customer who recommends the shop on their first order. */
  readonly mayBeReferred?: true;
  /** It recommends the shop to others. */
  readonly refers?: true;
  /** Its facts reach the shop late, by so many days: they are collected on paper, say. */
  readonly arrivesLateDays?: Range;
  readonly phases: readonly Phase[];
}

/** What shop and wholesale deal in. */
export const CATALOGUE = [
  "tea",
  "coffee",
  "kettles",
  "grinders",
  "audio",
  "lighting",
  "kitchen",
  "gifts",
] as const;
