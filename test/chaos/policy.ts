import { parsePolicy } from "../../src/app/policy-file.ts";
import type { PolicyFile, ProfileFile } from "../../src/domain/policy-file-format.ts";
import type { World } from "../laws/reference-view.ts";

/** Thresholds that a customer of some days can reach, so that every rung and every axis moves within a run. */
const SHARED: Omit<ProfileFile, "name"> = {
  lapse: { minDays: 30 },
  account: {
    occasions: { enter: 3, hold: 2 },
    spanDays: { enter: 6, hold: 3 },
    categories: { enter: 2, hold: 1 },
  },
  patron: { revenueMinor: { enter: 60_000, hold: 40_000 }, tenureDays: 0 },
  value: { aMinor: 50_000, bMinor: 15_000 },
  fitThreshold: 0.5,
  idealCustomer: [{ attribute: "channel", anyOf: ["GROCERY", "DRUG"], weight: 1 }],
};

/**
 * The policy of a chaos run. Erasure markers stay: a fact of before the erasure that comes after its marker had gone would begin a new
 * history (S2.5), and when it comes is up to the adversary.
 */
export const POLICY_FILE: PolicyFile = {
  version: "chaos",
  timezone: "Europe/Rome",
  erasureMarkerDays: 36_500,
  profiles: [
    { name: "B2B", match: { model: ["B2B"] }, ...SHARED },
    { name: "B2C", ...SHARED },
  ],
};

/** The same, as the reference fold takes it. */
export const WORLD: World = { policy: parsePolicy(JSON.stringify(POLICY_FILE), "chaos"), file: POLICY_FILE };
