import type { Stage } from "./classification.ts";

/** A threshold with hysteresis: `enter` to climb onto a rung, `hold` to stay on it; hold ≤ enter (S6.1). */
export interface Hysteresis {
  readonly enter: number;
  readonly hold: number;
}

/** One dated rate of a currency, exact: base minor = amountMinor · numerator / denominator, rounded half away from zero (S1, I4). */
export interface DatedRate {
  readonly fromAt: number;
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The parameters of S5.3 as they apply to a customer; durations in ms, money in minor units of the base currency. */
export interface Profile {
  readonly name: string;
  /** Attribute → allowed values; `null` on the last profile, which takes everybody. */
  readonly match: Readonly<Record<string, readonly string[]>> | null;
  readonly lapse: {
    readonly factor: number;
    readonly priorGapMs: number;
    readonly priorWeight: number;
    readonly minMs: number;
    readonly maxMs: number;
    readonly firstMs: number;
  };
  readonly interestMs: number;
  readonly surveyMs: number;
  readonly fitThreshold: number;
  readonly idealCustomer: readonly {
    readonly attribute: string;
    readonly anyOf: readonly string[];
    readonly weight: number;
  }[];
  readonly payment: { readonly slowDays: number; readonly badDays: number; readonly overdueMs: number };
  readonly account: {
    readonly occasions: Hysteresis;
    readonly spanMs: Hysteresis;
    readonly categories: Hysteresis;
  };
  readonly patron: { readonly revenueMinor: Hysteresis; readonly tenureMs: number };
  readonly value: { readonly aMinor: number; readonly bMinor: number };
  readonly levers: Readonly<Partial<Record<Stage, string>>>;
}

/** A policy file (I4) after validation, with defaults filled in. Immutable. */
export interface Policy {
  readonly version: string;
  /** Hex SHA-256 of the canonical resolved policy: equal rules have equal hashes. */
  readonly hash: string;
  readonly timezone: string;
  readonly baseCurrency: string;
  readonly horizonMs: number;
  readonly erasureMarkerMs: number;
  readonly liveWithinMs: number;
  /** By ISO 4217 code, ascending by `fromAt`; the base currency is not in it (rate 1). */
  readonly rates: ReadonlyMap<string, readonly DatedRate[]>;
  readonly profiles: readonly Profile[];
}
