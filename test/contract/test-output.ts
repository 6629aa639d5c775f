import type { CustomerSegment, Facts, SegmentChange } from "../../src/domain/change.ts";
import type { Classification } from "../../src/domain/classification.ts";
import { instant } from "../../src/shared/instant.ts";

const FACTS: Facts = {
  profile: "B2C",
  occasionsEver: 1,
  occasions365: 1,
  occasions730: 1,
  occasionsPriorYear: 0,
  span365Ms: 0,
  firstOccasionAt: instant(1_700_000_000_000),
  lastOccasionAt: instant(1_700_000_000_000),
  revenueMinor: 4990,
  costMinor: 0,
  profitMinor: 4990,
  units: 2,
  categories: 1,
  survey: null,
  promoterInWindow: false,
  dbtDays: 0,
  overdue: false,
  referrals: 0,
  interest: false,
  fit: 0,
  canBuy: true,
  seasonal: false,
  lapseAt: instant(1_715_552_000_000),
  accountSince: null,
};
const CURRENT: Classification = {
  status: "ACTIVE",
  stage: "TESTER",
  value: "C",
  attention: "MAINTAIN",
  tags: [],
};
const POLICY = { version: "test", hash: "a".repeat(64) };

/** A whole change, as far as a log cares. */
export function changeOf(customerId: string, changeId: string, seq: number): SegmentChange {
  return {
    changeId,
    customerId,
    seq,
    changed: ["status", "stage", "value"],
    previous: null,
    current: CURRENT,
    effectiveAt: instant(1_700_000_000_000),
    decidedAt: instant(1_700_000_000_100),
    cause: { kind: "EVENT", ref: { topic: "orders", eventId: "e1" } },
    reasons: [],
    facts: FACTS,
    next: null,
    levers: null,
    supersedes: null,
    policy: POLICY,
    origin: "LIVE",
  };
}

/** A whole segment, as far as a log cares. */
export function segmentOf(customerId: string, seq: number): CustomerSegment {
  return {
    customerId,
    asOf: instant(1_700_000_000_000),
    classification: CURRENT,
    facts: FACTS,
    next: null,
    seq,
    policy: POLICY,
  };
}
