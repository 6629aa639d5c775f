import fc from "fast-check";
import { hash } from "node:crypto";
import type { PolicyFile } from "../../src/domain/policy-file-format.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { resolvePolicy } from "../../src/domain/resolve-policy.ts";
import type { World } from "./reference-view.ts";

/** Thresholds low enough that short random histories reach every rung. */
const SHARED = {
  fitThreshold: 0.5,
  idealCustomer: [
    { attribute: "channel", anyOf: ["DRUG", "MASS"], weight: 1 },
    { attribute: "customerType", anyOf: ["WHOLESALE"], weight: 1 },
  ],
  lapse: { minDays: 20 },
  account: {
    occasions: { enter: 3, hold: 2 },
    spanDays: { enter: 60, hold: 30 },
    categories: { enter: 2, hold: 1 },
  },
  patron: { revenueMinor: { enter: 20_000, hold: 15_000 }, tenureDays: 60 },
  value: { aMinor: 30_000, bMinor: 10_000 },
};

/** Rates whose halves fall on odd amounts, in currencies of two, no and three minor digits (I4). */
const RATES = {
  USD: [
    { from: "2024-10-01T00:00:00Z", rate: 1.5 },
    { from: "2010-01-01T00:00:00Z", rate: 0.5 },
  ],
  JPY: [
    { from: "2010-01-01T00:00:00Z", rate: 0.0125 },
    { from: "2025-01-01T12:00:00Z", rate: 0.00615 },
  ],
  KWD: [{ from: "2010-01-01T00:00:00Z", rate: 3.255 }],
};

function world(file: Omit<PolicyFile, "version">): World {
  const stated: PolicyFile = {
    version: "laws",
    // A marker that had gone would let late facts of an erased customer in: that is meant (S2.5), and tested elsewhere.
    erasureMarkerDays: 36_500,
    rates: RATES,
    profiles: [
      { name: "B2B", ...SHARED },
      { name: "B2C", ...SHARED },
    ],
    ...file,
  };
  const resolved = resolvePolicy(stated, (text) => hash("sha256", text));
  if ("problems" in resolved) throw new Error(JSON.stringify(resolved.problems));
  const name = `world of ${stated.timezone ?? "UTC"}`;
  // What a counterexample shows of it.
  return Object.assign({ policy: resolved.policy, file: stated }, { [fc.toStringMethod]: () => name });
}

/** Three parameter sets that differ in all durations, so that a switch moves every deadline (S5.3). */
const KEY_ACCOUNTS: PolicyFile["profiles"] = [
  {
    name: "KEY",
    match: { model: ["B2B"], channel: ["DRUG", "MASS"] },
    ...SHARED,
    lapse: { minDays: 10, priorWeight: 0, firstDays: 120, maxDays: 90, factor: 1.5 },
    interestDays: 60,
    surveyDays: 120,
    payment: { slowDays: 1, badDays: 2, overdueDays: 30 },
    patron: { revenueMinor: { enter: 9000, hold: 5000 }, tenureDays: 0 },
    value: { aMinor: 9000, bMinor: 5000 },
  },
  { name: "B2B", ...SHARED, payment: { slowDays: 14, badDays: 46 } },
  { name: "B2C", ...SHARED, interestDays: 30, idealCustomer: [] },
];

/** The policies under which the laws hold: zones with summer time north and south, bases of two and of no minor digits. */
export const WORLDS: readonly World[] = [
  world({}),
  world({ timezone: "Europe/Rome", profiles: KEY_ACCOUNTS }),
  world({ timezone: "America/New_York" }),
  world({
    timezone: "Pacific/Auckland",
    baseCurrency: "JPY",
    rates: { EUR: [{ from: "2010-01-01T00:00:00Z", rate: 162.5 }], USD: RATES.USD, KWD: RATES.KWD },
    profiles: KEY_ACCOUNTS,
  }),
];

/** For laws that compare the fold with itself. */
export const POLICY: Policy = WORLDS[0]!.policy;

/** As the first world, but facts settle after two years (S2.4), the shortest horizon there is. */
export const SHORT_MEMORY: World = world({ horizonDays: 730, profiles: KEY_ACCOUNTS });
