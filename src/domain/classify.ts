import { DAY_MS } from "../shared/instant.ts";
import {
  STAGES,
  type Attention,
  type Classification,
  type Stage,
  type Status,
  type Tag,
  type Value,
} from "./classification.ts";
import type { Figures } from "./figures.ts";

/** Below this age nobody is divested of (S6.4). */
export const DIVEST_AGE_MS = 180 * DAY_MS;

export const STAGE_RANK: Readonly<Record<Stage, number>> = {
  NONE: 0,
  PROSPECT: 1,
  TESTER: 2,
  BUYER: 3,
  ACCOUNT: 4,
  PATRON: 5,
  SPONSOR: 6,
};

/** What the fold remembers of the instant before (S7): the path-dependent part of the rules. */
export interface Before {
  readonly stage: Stage;
  readonly value: Value;
  /** See Standing.accountSince. */
  readonly accountSince: number | null;
}

/** Before the first instant (S7). */
export const NOTHING_BEFORE: Before = { stage: "NONE", value: "NONE", accountSince: null };

/**
 * The classification at `at` from the figures there and the one just before it (S4, S6).
 * @param previous returned itself when nothing differs from it: most instants change nothing
 */
export function classify(
  figures: Figures,
  at: number,
  before: Before,
  previous: Classification | null = null,
): Classification {
  const status = statusOf(figures, at);
  const stage = stageOf(figures, at, status, before);
  const value = valueOf(figures, before.value);
  const attention = attentionOf(figures, at, status, stage, value);
  const tags = tagsOf(figures, status);
  if (
    previous?.status === status &&
    previous.stage === stage &&
    previous.value === value &&
    previous.attention === attention &&
    sameTags(previous.tags, tags)
  ) {
    return previous;
  }
  return { status, stage, value, attention, tags };
}

/** S4. */
export function statusOf(figures: Figures, at: number): Status {
  if (figures.lapseAt !== null) return at < figures.lapseAt ? "ACTIVE" : "INACTIVE";
  if (figures.occasionsEver > 0) return "INACTIVE";
  if (!figures.canBuy) return "UNQUALIFIED";
  if (figures.interest) return "POTENTIAL";
  return figures.fit >= figures.profileInForce.fitThreshold ? "PROBABLE" : "UNQUALIFIED";
}

/** The highest rung whose conditions hold, then the caps (S6.1, S6.2). */
export function stageOf(figures: Figures, at: number, status: Status, before: Before): Stage {
  const stage = rungOf(figures, at, status, before);
  const cap = capOf(figures);
  return cap !== null && STAGE_RANK[stage] > STAGE_RANK[cap] ? cap : stage;
}

/** S6.2: the highest stage that is allowed; null: any. */
export function capOf(figures: Figures): "BUYER" | "ACCOUNT" | null {
  if (figures.isBad || figures.overdue) return "BUYER";
  return isDetractor(figures) || figures.profitMinor < 0 ? "ACCOUNT" : null;
}

function rungOf(figures: Figures, at: number, status: Status, before: Before): Stage {
  if (isAccount(figures, status, before)) {
    if (isSponsor(figures, before)) return "SPONSOR";
    return isPatron(figures, at, before) ? "PATRON" : "ACCOUNT";
  }
  if (figures.occasions730 >= 2) return "BUYER";
  if (figures.occasions730 === 1) return "TESTER";
  return figures.interest ? "PROSPECT" : "NONE";
}

/** Whether a rung's hold values apply (S6.1). */
export function isHeld(rung: Stage, before: Before): boolean {
  return STAGE_RANK[before.stage] >= STAGE_RANK[rung];
}

function isAccount(figures: Figures, status: Status, before: Before): boolean {
  if (status !== "ACTIVE") return false;
  const { account } = figures.profileInForce;
  const side = isHeld("ACCOUNT", before) ? "hold" : "enter";
  return (
    figures.occasions365 >= account.occasions[side] &&
    figures.span365Ms >= account.spanMs[side] &&
    (figures.categories === null || figures.categories >= account.categories[side])
  );
}

function isPatron(figures: Figures, at: number, before: Before): boolean {
  const { patron } = figures.profileInForce;
  const side = isHeld("PATRON", before) ? "hold" : "enter";
  return (
    (before.accountSince ?? at) <= at - patron.tenureMs &&
    figures.profitMinor > 0 &&
    figures.revenueMinor >= patron.revenueMinor[side] &&
    !isDetractor(figures) &&
    !figures.isSlow &&
    !figures.overdue
  );
}

function isSponsor(figures: Figures, before: Before): boolean {
  if (figures.profitMinor < 0 || isDetractor(figures)) return false;
  if (figures.referrals >= 1) return true;
  const { survey } = figures;
  if (survey === null) return false;
  return isHeld("SPONSOR", before) ? figures.promoterInWindow && survey >= 8 : survey >= 9;
}

/** S6.3. */
export function valueOf(figures: Figures, before: Value): Value {
  const { aMinor, bMinor } = figures.profileInForce.value;
  const { profitMinor } = figures;
  if (reaches(profitMinor, aMinor, before === "A")) return "A";
  if (reaches(profitMinor, bMinor, before === "A" || before === "B")) return "B";
  if (profitMinor < 0) return "D";
  return figures.revenueMinor > 0 ? "C" : "NONE";
}

/** Holds down to nine tenths of the threshold once it is reached. */
function reaches(profitMinor: number, thresholdMinor: number, isHolding: boolean): boolean {
  return profitMinor >= thresholdMinor || (isHolding && 10 * profitMinor >= 9 * thresholdMinor);
}

/** S6.4. */
function attentionOf(figures: Figures, at: number, status: Status, stage: Stage, value: Value): Attention {
  if (figures.profitMinor < 0) return isDivest(figures, at, status, stage) ? "DIVEST" : "REVIEW";
  return STAGE_RANK[stage] >= STAGE_RANK.PATRON || value === "A" ? "INVEST" : "MAINTAIN";
}

function isDivest(figures: Figures, at: number, status: Status, stage: Stage): boolean {
  return (
    STAGE_RANK[stage] <= STAGE_RANK.BUYER &&
    figures.firstOccasionAt !== null &&
    figures.occasionsEver >= 1 &&
    at - figures.firstOccasionAt >= DIVEST_AGE_MS &&
    !figures.seasonal &&
    (status === "INACTIVE" || 2 * figures.occasions365 <= figures.occasionsPriorYear)
  );
}

const NO_TAGS: readonly Tag[] = [];
const CURRENT_ONLY: readonly Tag[] = ["CURRENT"];

/** S6.5, sorted. */
function tagsOf(figures: Figures, status: Status): readonly Tag[] {
  const current = status === "ACTIVE" && figures.occasions365 >= 2;
  const promoter = figures.survey !== null && figures.survey >= 9;
  const advocate = promoter || figures.referrals >= 1;
  const detractor = isDetractor(figures);
  const slow = figures.isSlow || figures.overdue;
  if (!advocate && !detractor && !figures.seasonal && !slow) return current ? CURRENT_ONLY : NO_TAGS;
  const tags: Tag[] = [];
  if (advocate) tags.push("ADVOCATE");
  if (current) tags.push("CURRENT");
  if (detractor) tags.push("DETRACTOR");
  if (promoter) tags.push("PROMOTER");
  if (figures.seasonal) tags.push("SEASONAL");
  if (slow) tags.push("SLOW_PAYER");
  return tags;
}

export function isDetractor(figures: Figures): boolean {
  return figures.survey !== null && figures.survey <= 6;
}

export function sameClassification(a: Classification, b: Classification): boolean {
  return (
    a.status === b.status &&
    a.stage === b.stage &&
    a.value === b.value &&
    a.attention === b.attention &&
    sameTags(a.tags, b.tags)
  );
}

export function sameTags(a: readonly Tag[], b: readonly Tag[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The stage above this one, by rank; null above the highest. */
export function nextRung(stage: Stage): Stage | null {
  return STAGES[STAGE_RANK[stage] + 1] ?? null;
}
