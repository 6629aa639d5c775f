/**
 * The semantics written out plainly: at every instant everything is computed anew from all events seen by then. Slow on purpose
 * and sharing nothing with the engine but types, so that the two can be held against each other.
 */
import type { Cause, DeadlineName, EventRef, Facts, Transition } from "../../src/domain/change.ts";
import type { Classification, Stage, Tag, Value } from "../../src/domain/classification.ts";
import type { CustomerEvent, Referral } from "../../src/domain/events.ts";
import { instant } from "../../src/shared/instant.ts";
import { referenceBase } from "./reference-money.ts";
import { accepted, inquiriesOf, surveysOf, type Fact } from "./reference-facts.ts";
import { DAY, view, YEAR, type View, type World } from "./reference-view.ts";

const RANK: Record<Stage, number> = {
  NONE: 0,
  PROSPECT: 1,
  TESTER: 2,
  BUYER: 3,
  ACCOUNT: 4,
  PATRON: 5,
  SPONSOR: 6,
};

interface Memory {
  readonly classification: Classification | null;
  readonly accountSince: number | null;
}

/** S7 for one customer: every transition up to `through`. */
export function referenceTimeline(
  all: readonly CustomerEvent[],
  world: World,
  through: number,
): Transition[] {
  const timeline: Transition[] = [];
  walk(all, world, through, (_at, _memory, transition) => {
    if (transition !== null) timeline.push(transition);
  });
  return timeline;
}

/** The last instant up to `through` that is an event's or a deadline's (S7, S7.2); null: none. */
export function referenceEvaluatedAt(
  all: readonly CustomerEvent[],
  world: World,
  through: number,
): number | null {
  const { facts, referrals } = accepted(all);
  let last: number | null = null;
  walk(all, world, through, (at, memory) => {
    const isEvent =
      facts.some(({ occurredAt }) => occurredAt === at) ||
      referrals.some(({ spans }) => spans.some(({ from, until }) => from === at || until === at));
    if (isEvent || deadlineAt(facts, referrals, world, at, memory) !== null) last = at;
  });
  return last;
}

/** S3 as it is told (S8), but for what only the fold remembers. */
export function referenceFacts(
  all: readonly CustomerEvent[],
  world: World,
  at: number,
): Omit<Facts, "accountSince"> {
  const { facts, referrals } = accepted(all);
  const seen = view(facts, referrals, world, at);
  const { occasions } = seen;
  const within = (days: number): number[] => occasions.filter((t) => t > at - days * DAY);
  const year = within(365);
  const dated = (t: number | undefined): ReturnType<typeof instant> | null =>
    t === undefined ? null : instant(t);
  return {
    profile: seen.profile.name,
    occasionsEver: occasions.length,
    occasions365: year.length,
    occasions730: within(730).length,
    occasionsPriorYear: within(730).length - year.length,
    span365Ms: year.length < 2 ? 0 : year.at(-1)! - year[0]!,
    firstOccasionAt: dated(occasions[0]),
    lastOccasionAt: dated(occasions.at(-1)),
    revenueMinor: seen.revenue,
    costMinor: seen.cost,
    profitMinor: seen.profit,
    units: seen.units,
    categories: seen.categories,
    survey: seen.survey,
    promoterInWindow: seen.promoterIn,
    dbtDays: dbtDays(seen),
    overdue: seen.overdue,
    referrals: seen.referrals,
    interest: seen.interest,
    fit: seen.fit,
    canBuy: seen.canBuy,
    seasonal: seen.seasonal,
    lapseAt: dated(seen.lapseAt ?? undefined),
  };
}

/** Two decimals, but never on the other side of what the customer is held against. */
function dbtDays({ lateProduct, lateWeight, late, profile }: View): number {
  if (lateProduct === 0n) return 0;
  const days = Number(lateProduct) / Number(lateWeight) / DAY;
  const { slowDays, badDays } = profile.payment;
  const rounded = Number(days.toFixed(2));
  return late(slowDays) === rounded > slowDays && late(badDays) === rounded > badDays ? rounded : days;
}

/** Goes through the instants, telling each with the memory before it. */
function walk(
  all: readonly CustomerEvent[],
  world: World,
  through: number,
  visit: (at: number, before: Memory, transition: Transition | null) => void,
): void {
  const { policy } = world;
  const { facts, referrals } = accepted(all);
  const instants = new Set<number>();
  for (const event of facts) instants.add(event.occurredAt);
  for (const { spans } of referrals) {
    for (const { at, from, until } of spans) {
      instants.add(from).add(at + YEAR);
      if (until !== null) instants.add(until);
    }
  }
  // Every deadline any profile could create, but for those that depend on the path: D and ACCOUNT-since + tenure come below.
  const offsets = new Set<number>([YEAR, 2 * YEAR, 180 * DAY]);
  for (const { interestMs, surveyMs } of policy.profiles) offsets.add(interestMs).add(surveyMs);
  for (const at of [...instants]) for (const offset of offsets) instants.add(at + offset);
  for (const event of facts) {
    if (event.topic !== "orders" || event.kind !== "PLACED" || event.dueAt === null) continue;
    for (const { payment } of policy.profiles) instants.add(event.dueAt + payment.overdueMs);
  }
  const first = Math.min(
    ...facts.map((event) => event.occurredAt),
    ...referrals.flatMap(({ spans }) => spans.map(({ from }) => from)),
  );
  const pending = [...instants].filter((at) => at >= first && at <= through).sort((a, b) => a - b);
  let memory: Memory = { classification: null, accountSince: null };
  while (pending.length > 0) {
    const at = pending.shift()!;
    const seen = view(facts, referrals, world, at);
    const current = classify(seen, at, memory);
    for (const later of [
      seen.lapseAt,
      current.accountSince === null ? null : current.accountSince + seen.profile.patron.tenureMs,
    ]) {
      if (later === null || later <= at || later > through || pending.includes(later)) continue;
      pending.push(later);
      pending.sort((a, b) => a - b);
    }
    const changes =
      memory.classification === null ||
      JSON.stringify(memory.classification) !== JSON.stringify(current.classification);
    visit(
      at,
      memory,
      changes
        ? {
            at: instant(at),
            previous: memory.classification,
            current: current.classification!,
            cause: causeAt(facts, referrals, world, at, memory),
          }
        : null,
    );
    memory = current;
  }
}

/** S4, S6 at an instant, from the memory of the one before. */
function classify(seen: View, at: number, memory: Memory): Memory {
  const { profile, profit, revenue, survey } = seen;
  const before = memory.classification;
  const beforeStage = before?.stage ?? "NONE";
  const beforeValue: Value = before?.value ?? "NONE";
  const n = seen.occasions.length;
  const occ = (days: number): number => seen.occasions.filter((t) => t > at - days * DAY).length;
  const status =
    n >= 1
      ? at < seen.lapseAt!
        ? "ACTIVE"
        : "INACTIVE"
      : seen.canBuy && seen.interest
        ? "POTENTIAL"
        : seen.canBuy && seen.fit >= profile.fitThreshold
          ? "PROBABLE"
          : "UNQUALIFIED";
  const side = (rung: Stage): "hold" | "enter" => (RANK[beforeStage] >= RANK[rung] ? "hold" : "enter");
  const recent = seen.occasions.filter((t) => t > at - YEAR);
  const span = recent.length < 2 ? 0 : recent.at(-1)! - recent[0]!;
  const detractor = survey !== null && survey <= 6;
  const { account, patron, payment } = profile;
  const isAccount =
    status === "ACTIVE" &&
    occ(365) >= account.occasions[side("ACCOUNT")] &&
    span >= account.spanMs[side("ACCOUNT")] &&
    (seen.categories === null || seen.categories >= account.categories[side("ACCOUNT")]);
  const isPatron =
    isAccount &&
    (memory.accountSince ?? at) <= at - patron.tenureMs &&
    profit > 0 &&
    revenue >= patron.revenueMinor[side("PATRON")] &&
    !detractor &&
    !seen.late(payment.slowDays) &&
    !seen.overdue;
  const isSponsor =
    isAccount &&
    profit >= 0 &&
    !detractor &&
    (seen.referrals >= 1 ||
      (side("SPONSOR") === "enter"
        ? survey !== null && survey >= 9
        : seen.promoterIn && survey !== null && survey >= 8));
  let stage: Stage = isSponsor
    ? "SPONSOR"
    : isPatron
      ? "PATRON"
      : isAccount
        ? "ACCOUNT"
        : occ(730) >= 2
          ? "BUYER"
          : occ(730) === 1
            ? "TESTER"
            : seen.interest
              ? "PROSPECT"
              : "NONE";
  if ((detractor || profit < 0) && RANK[stage] > RANK.ACCOUNT) stage = "ACCOUNT";
  if ((seen.late(payment.badDays) || seen.overdue) && RANK[stage] > RANK.BUYER) stage = "BUYER";
  const { aMinor, bMinor } = profile.value;
  const reach = (threshold: number, held: boolean): boolean =>
    profit >= threshold || (held && 10 * profit >= 9 * threshold);
  const value: Value = reach(aMinor, beforeValue === "A")
    ? "A"
    : reach(bMinor, beforeValue === "A" || beforeValue === "B")
      ? "B"
      : profit < 0
        ? "D"
        : revenue > 0
          ? "C"
          : "NONE";
  const divest =
    RANK[stage] <= RANK.BUYER &&
    n >= 1 &&
    at - seen.occasions[0]! >= 180 * DAY &&
    !seen.seasonal &&
    (status === "INACTIVE" || 2 * occ(365) <= occ(730) - occ(365));
  const attention =
    profit < 0
      ? divest
        ? "DIVEST"
        : "REVIEW"
      : RANK[stage] >= RANK.PATRON || value === "A"
        ? "INVEST"
        : "MAINTAIN";
  const promoter = survey !== null && survey >= 9;
  const tags: Tag[] = [];
  if (promoter || seen.referrals >= 1) tags.push("ADVOCATE");
  if (status === "ACTIVE" && occ(365) >= 2) tags.push("CURRENT");
  if (detractor) tags.push("DETRACTOR");
  if (promoter) tags.push("PROMOTER");
  if (n >= 1 && seen.seasonal) tags.push("SEASONAL");
  if (seen.late(payment.slowDays) || seen.overdue) tags.push("SLOW_PAYER");
  return {
    classification: { status, stage, value, attention, tags },
    accountSince: RANK[stage] >= RANK.ACCOUNT ? (memory.accountSince ?? at) : null,
  };
}

/** S8 cause: the smallest event of the instant, or the first deadline of the list that falls on it. */
function causeAt(
  facts: readonly Fact[],
  referrals: readonly Referral[],
  world: World,
  at: number,
  memory: Memory,
): Cause {
  const refs: EventRef[] = facts
    .filter(({ occurredAt }) => occurredAt === at)
    .map(({ topic, eventId }) => ({ topic, eventId }));
  for (const { referredId, orderId, spans } of referrals) {
    if (spans.some(({ from, until }) => from === at || until === at)) {
      refs.push({ topic: "referrals", eventId: `${referredId}/${orderId}` });
    }
  }
  refs.sort((a, b) => (a.topic + "\0" + a.eventId < b.topic + "\0" + b.eventId ? -1 : 1));
  if (refs[0] !== undefined) return { kind: "EVENT", ref: refs[0] };
  return { kind: "DEADLINE", ref: deadlineAt(facts, referrals, world, at, memory) };
}

/** The deadline of S7 that the facts before an instant put on it; of several the first of S8's list; null: none. */
function deadlineAt(
  facts: readonly Fact[],
  referrals: readonly Referral[],
  world: World,
  at: number,
  memory: Memory,
): DeadlineName | null {
  const seen = facts.filter(({ occurredAt }) => occurredAt < at);
  const before = view(facts, referrals, world, at - 1);
  const { profile } = before;
  const newest = Math.max(-Infinity, ...seen.map(({ occurredAt }) => occurredAt));
  const inquiries = inquiriesOf(seen);
  const falls: Record<DeadlineName, boolean> = {
    lapse: before.lapseAt === at,
    overdue: before.orders.some(
      ({ placed, paidAt }) =>
        paidAt === null &&
        placed.dueAt !== null &&
        placed.dueAt + profile.payment.overdueMs === at &&
        newest - placed.occurredAt <= world.policy.horizonMs,
    ),
    "window-365d":
      before.orders.some(({ placed }) => placed.occurredAt + YEAR === at) ||
      inquiries.some(
        ({ occurredAt, handlingCostMinor, currency }) =>
          referenceBase(world.file, handlingCostMinor, currency, occurredAt) > 0 && occurredAt + YEAR === at,
      ) ||
      referrals.some(({ spans }) =>
        spans.some(
          (span) => span.at + YEAR === at && span.from < at && (span.until === null || span.until > at),
        ),
      ),
    "window-730d": before.occasions.some((t) => t + 2 * YEAR === at),
    interest: inquiries.some(
      ({ kind, occurredAt }) =>
        ["INFORMATION", "QUOTE", "VISIT"].includes(kind) && occurredAt + profile.interestMs === at,
    ),
    survey: surveysOf(seen).some(({ occurredAt }) => occurredAt + profile.surveyMs === at),
    tenure: memory.accountSince !== null && memory.accountSince + profile.patron.tenureMs === at,
    "divest-age": before.occasions[0] !== undefined && before.occasions[0] + 180 * DAY === at,
  };
  return (Object.keys(falls) as DeadlineName[]).find((name) => falls[name]) ?? null;
}
