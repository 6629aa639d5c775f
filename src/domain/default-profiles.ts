import { DAY_MS } from "../shared/instant.ts";
import type { Profile } from "./policy.ts";

/** Levers of S6.6 as they come with clientela; texts for people, to be changed in the policy file. */
const LEVERS: Profile["levers"] = {
  PROSPECT: "inform, answer quickly, offer a first small purchase",
  TESTER: "reassure, listen",
  BUYER: "make the next purchase easy, widen the range",
  ACCOUNT: "care personally, reward loyalty",
  PATRON: "involve, give priority",
  SPONSOR: "thank, invite to recommend",
};

/** The parameter set B2C of S5.3. */
export const B2C: Profile = {
  name: "B2C",
  match: null,
  lapse: {
    factor: 2,
    priorGapMs: 60 * DAY_MS,
    priorWeight: 3,
    minMs: 30 * DAY_MS,
    maxMs: 365 * DAY_MS,
    firstMs: 180 * DAY_MS,
  },
  interestMs: 90 * DAY_MS,
  surveyMs: 365 * DAY_MS,
  fitThreshold: 0.6,
  idealCustomer: [],
  payment: { slowDays: 15, badDays: 30, overdueMs: 60 * DAY_MS },
  account: {
    occasions: { enter: 6, hold: 4 },
    spanMs: { enter: 180 * DAY_MS, hold: 90 * DAY_MS },
    categories: { enter: 3, hold: 2 },
  },
  patron: { revenueMinor: { enter: 200_000, hold: 150_000 }, tenureMs: 180 * DAY_MS },
  value: { aMinor: 100_000, bMinor: 20_000 },
  levers: LEVERS,
};

/** The parameter set B2B of S5.3. */
export const B2B: Profile = {
  name: "B2B",
  match: { model: ["B2B"] },
  lapse: {
    factor: 2,
    priorGapMs: 45 * DAY_MS,
    priorWeight: 3,
    minMs: 45 * DAY_MS,
    maxMs: 540 * DAY_MS,
    firstMs: 365 * DAY_MS,
  },
  interestMs: 180 * DAY_MS,
  surveyMs: 365 * DAY_MS,
  fitThreshold: 0.6,
  idealCustomer: [],
  payment: { slowDays: 15, badDays: 30, overdueMs: 60 * DAY_MS },
  account: {
    occasions: { enter: 6, hold: 4 },
    spanMs: { enter: 180 * DAY_MS, hold: 90 * DAY_MS },
    categories: { enter: 4, hold: 3 },
  },
  patron: { revenueMinor: { enter: 5_000_000, hold: 3_750_000 }, tenureMs: 180 * DAY_MS },
  value: { aMinor: 2_000_000, bMinor: 400_000 },
  levers: LEVERS,
};
