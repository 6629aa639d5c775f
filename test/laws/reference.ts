/**
 * The semantics written out plainly: at every instant everything is computed anew from all events seen by then. Slow on purpose
 * and sharing nothing with the engine but types, so that the two can be held against each other.
 */
import type { Classification, Stage, Tag, Value } from "../../src/domain/classification.ts";
import type { Cause, DeadlineName, EventRef, Transition } from "../../src/domain/change.ts";
import type {
  CustomerEvent,
  Inquiry,
  OrderPlaced,
  OrderRefunded,
  Referral,
  Survey,
} from "../../src/domain/events.ts";
import type { Policy, Profile } from "../../src/domain/policy.ts";
import { instant } from "../../src/shared/instant.ts";

const DAY = 86_400_000;
const YEAR = 365 * DAY;
const RANK: Record<Stage, number> = {
  NONE: 0,
  PROSPECT: 1,
  TESTER: 2,
  BUYER: 3,
  ACCOUNT: 4,
  PATRON: 5,
  SPONSOR: 6,
};

type Fact = Exclude<CustomerEvent, Referral>;
interface Memory {
  readonly classification: Classification | null;
  readonly accountSince: number | null;
}

/** The order as it is seen at an instant, when it stands (S3.1). */
interface Standing {
  readonly placed: OrderPlaced;
  readonly net: number;
  readonly paidAt: number | null;
}

/** S7 for one customer, UTC only: every transition up to `through`. */
export function referenceTimeline(
  all: readonly CustomerEvent[],
  policy: Policy,
  through: number,
): Transition[] {
  const { facts, referrals } = accepted(all);
  const instants = new Set<number>();
  for (const event of facts) instants.add(event.occurredAt);
  for (const { spans } of referrals) {
    for (const { from, until } of spans) {
      instants.add(from);
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
  const timeline: Transition[] = [];
  let memory: Memory = { classification: null, accountSince: null };
  while (pending.length > 0) {
    const at = pending.shift()!;
    const seen = view(facts, referrals, policy, at);
    const current = classify(seen, policy, at, memory);
    for (const later of [
      seen.lapseAt,
      current.accountSince === null ? null : current.accountSince + seen.profile.patron.tenureMs,
    ]) {
      if (later === null || later <= at || later > through || pending.includes(later)) continue;
      pending.push(later);
      pending.sort((a, b) => a - b);
    }
    if (
      memory.classification === null ||
      JSON.stringify(memory.classification) !== JSON.stringify(current.classification)
    ) {
      timeline.push({
        at: instant(at),
        previous: memory.classification,
        current: current.classification!,
        cause: causeAt(facts, referrals, policy, at, memory),
      });
    }
    memory = current;
  }
  return timeline;
}

/** S2: erasures applied, duplicates out. */
function accepted(all: readonly CustomerEvent[]): { facts: Fact[]; referrals: Referral[] } {
  const erasedAt = Math.max(
    -Infinity,
    ...all.filter((e) => e.topic === "customers" && e.kind === "ERASED").map((e) => (e as Fact).occurredAt),
  );
  const facts: Fact[] = [];
  for (const event of all) {
    if (event.topic === "referrals" || event.occurredAt <= erasedAt) continue;
    if (event.topic === "customers" && event.kind === "ERASED") continue;
    if (facts.some((other) => identity(other) === identity(event) && versionKey(other) === versionKey(event)))
      continue;
    facts.push(event);
  }
  const latest = new Map<string, Referral>();
  for (const event of all) {
    if (event.topic !== "referrals" || event.referredId === event.customerId) continue;
    const key = `${event.referredId}/${event.orderId}`;
    if ((latest.get(key)?.version ?? -1) < event.version) latest.set(key, event);
  }
  const referrals = [...latest.values()].map((event) => ({
    ...event,
    spans: event.spans.filter(({ at }) => at > erasedAt),
  }));
  return { facts, referrals };
}

function identity(event: Fact): string {
  switch (event.topic) {
    case "orders":
      return `order ${event.orderId} ${event.kind} ${event.kind === "REFUNDED" ? event.refundId : ""}`;
    case "inquiries":
      return `inquiry ${event.inquiryId}`;
    case "surveys":
      return `survey ${event.surveyId}`;
    case "customers":
      return `record ${event.eventId} ${event.occurredAt}`;
  }
}

function versionKey(event: Fact): string {
  return `${"revision" in event && !isClosing(event) ? event.revision : 0} ${event.occurredAt} ${event.eventId}`;
}

function isClosing(event: Fact): boolean {
  return event.topic === "orders" && (event.kind === "PAID" || event.kind === "CANCELLED");
}

function wins(a: Fact, b: Fact): boolean {
  const byTime =
    a.occurredAt === b.occurredAt ? (a.eventId > b.eventId ? 1 : -1) : a.occurredAt > b.occurredAt ? 1 : -1;
  if (isClosing(a)) return byTime < 0;
  const revisions = [a, b].map((event) => ("revision" in event ? event.revision : 0));
  return revisions[0] === revisions[1] ? byTime > 0 : revisions[0]! > revisions[1]!;
}

/** What S3 derives at an instant. */
interface View {
  readonly profile: Profile;
  readonly orders: readonly Standing[];
  readonly occasions: readonly number[];
  readonly revenue: number;
  readonly profit: number;
  readonly categories: number | null;
  readonly survey: number | null;
  readonly promoterIn: boolean;
  readonly late: (days: number) => boolean;
  readonly overdue: boolean;
  readonly referrals: number;
  readonly interest: boolean;
  readonly canBuy: boolean;
  readonly fit: number;
  readonly lapseAt: number | null;
  readonly seasonal: boolean;
}

function view(facts: readonly Fact[], referrals: readonly Referral[], policy: Policy, at: number): View {
  const seen = facts.filter((event) => event.occurredAt <= at);
  const attributes = attributesAt(seen);
  const profile = policy.profiles.find(
    ({ match }) =>
      match === null ||
      Object.entries(match).every(([name, allowed]) => allowed.includes(attributes.get(name) ?? "\0")),
  )!;
  const orders = standingOrders(seen);
  const inYear = (t: number): boolean => t > at - YEAR;
  const recent = orders.filter(({ placed }) => inYear(placed.occurredAt));
  const inquiries = winners(seen.filter((e): e is Inquiry => e.topic === "inquiries"));
  const surveys = winners(seen.filter((e): e is Survey => e.topic === "surveys"))
    .filter(({ occurredAt }) => occurredAt > at - profile.surveyMs)
    .sort((a, b) => a.occurredAt - b.occurredAt || (a.eventId < b.eventId ? -1 : 1));
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  const revenue = sum(recent.map(({ net }) => net));
  const cost =
    sum(recent.map(({ placed }) => placed.costMinor)) +
    sum(
      inquiries
        .filter(({ occurredAt }) => inYear(occurredAt))
        .map(({ handlingCostMinor }) => handlingCostMinor),
    );
  const named = new Set(recent.flatMap(({ placed }) => placed.categories));
  const settledTerms = recent.filter(({ placed, paidAt }) => placed.dueAt !== null && paidAt !== null);
  const product = settledTerms.reduce(
    (total, { placed, paidAt }) =>
      total + BigInt(placed.amountMinor) * BigInt(Math.max(0, paidAt! - placed.dueAt!)),
    0n,
  );
  const weight = settledTerms.reduce((total, { placed }) => total + BigInt(placed.amountMinor), 0n);
  const newest = Math.max(-Infinity, ...seen.map(({ occurredAt }) => occurredAt));
  const byDay = new Map<number, number>();
  for (const { placed } of orders) {
    const day = Math.floor(placed.occurredAt / DAY);
    byDay.set(day, Math.min(byDay.get(day) ?? Infinity, placed.occurredAt));
  }
  const occasions = [...byDay.values()].sort((a, b) => a - b);
  const season = occasions.length === 0 ? null : seasonOf(occasions, policy);
  const totalWeight = sum(profile.idealCustomer.map(({ weight }) => weight));
  return {
    profile,
    orders,
    occasions,
    revenue,
    profit: revenue - cost,
    categories: named.size === 0 ? null : named.size,
    survey: surveys.at(-1)?.score ?? null,
    promoterIn: surveys.some(({ score }) => score >= 9),
    late: (days) => product > BigInt(days * DAY) * weight,
    overdue: orders.some(
      ({ placed, paidAt }) =>
        paidAt === null &&
        placed.dueAt !== null &&
        at >= placed.dueAt + profile.payment.overdueMs &&
        newest - placed.occurredAt <= policy.horizonMs,
    ),
    referrals: new Set(
      referrals
        .filter(({ spans }) =>
          spans.some(
            (span) => span.from <= at && (span.until === null || at < span.until) && inYear(span.at),
          ),
        )
        .map(({ referredId }) => referredId),
    ).size,
    interest: inquiries.some(
      ({ kind, occurredAt }) =>
        ["INFORMATION", "QUOTE", "VISIT"].includes(kind) && occurredAt > at - profile.interestMs,
    ),
    canBuy: attributes.get("canBuy") !== "false",
    fit:
      totalWeight === 0
        ? 0
        : sum(
            profile.idealCustomer
              .filter(({ attribute, anyOf }) => anyOf.includes(attributes.get(attribute) ?? "\0"))
              .map(({ weight }) => weight),
          ) / totalWeight,
    lapseAt: occasions.length === 0 ? null : lapseAt(occasions, profile, policy, season),
    seasonal: season !== null,
  };
}

function winners<T extends Fact>(events: readonly T[]): T[] {
  return events.filter(
    (event) =>
      !events.some((other) => other !== event && identity(other) === identity(event) && wins(other, event)),
  );
}

function standingOrders(seen: readonly Fact[]): Standing[] {
  const standing: Standing[] = [];
  const orderEvents = seen.filter((event) => event.topic === "orders");
  for (const placed of winners(orderEvents.filter((e): e is OrderPlaced => e.kind === "PLACED"))) {
    const ofOrder = orderEvents.filter(({ orderId }) => orderId === placed.orderId);
    const refunded = winners(ofOrder.filter((e): e is OrderRefunded => e.kind === "REFUNDED")).reduce(
      (total, { amountMinor }) => total + amountMinor,
      0,
    );
    if (
      placed.amountMinor === 0 ||
      refunded >= placed.amountMinor ||
      ofOrder.some(({ kind }) => kind === "CANCELLED")
    )
      continue;
    const paid = ofOrder.filter(({ kind }) => kind === "PAID").map(({ occurredAt }) => occurredAt);
    standing.push({
      placed,
      net: placed.amountMinor - refunded,
      paidAt: paid.length === 0 ? null : Math.min(...paid),
    });
  }
  return standing;
}

function attributesAt(seen: readonly Fact[]): Map<string, string> {
  const known = new Map<string, string>();
  const records = seen
    .filter((event) => event.topic === "customers")
    .sort((a, b) => a.occurredAt - b.occurredAt || (a.eventId < b.eventId ? -1 : 1));
  for (const record of records) {
    if (record.kind !== "RECORDED") continue;
    for (const [name, value] of Object.entries(record.attributes)) {
      if (value === null) known.delete(name);
      else known.set(name, value);
    }
  }
  return known;
}

/** S4.5: the start month (1…12), or null. */
function seasonOf(occasions: readonly number[], policy: Policy): number | null {
  const last = occasions.at(-1)!;
  const reach = occasions.filter((t) => t > last - policy.horizonMs).map((t) => new Date(t));
  let best: { month: number; count: number } | null = null;
  for (let s = 1; s <= 12; s++) {
    const inside = reach
      .map((date) => ({ year: date.getUTCFullYear(), month: date.getUTCMonth() + 1 }))
      .filter(({ month }) => [s, (s % 12) + 1, ((s + 1) % 12) + 1].includes(month));
    const years = new Set(inside.map(({ year, month }) => (month < s ? year - 1 : year)));
    if (
      10 * inside.length >= 7 * reach.length &&
      years.size >= 2 &&
      (best === null || inside.length > best.count)
    ) {
      best = { month: s, count: inside.length };
    }
  }
  return best?.month ?? null;
}

/** S4.1–S4.5. */
function lapseAt(
  occasions: readonly number[],
  { lapse }: Profile,
  policy: Policy,
  season: number | null,
): number {
  const last = occasions.at(-1)!;
  let allowed = lapse.firstMs;
  if (occasions.length >= 3) {
    const reach = occasions.filter((t) => t > last - policy.horizonMs);
    const gaps = reach
      .slice(1)
      .map((t, i) => t - reach[i]!)
      .slice(-8);
    if (gaps.length > 0 || lapse.priorWeight !== 0) {
      const m =
        (lapse.priorWeight * lapse.priorGapMs + gaps.reduce((a, b) => a + b, 0)) /
        (lapse.priorWeight + gaps.length);
      allowed = Math.min(Math.max(Math.floor(lapse.factor * m), lapse.minMs), lapse.maxMs);
    }
  }
  if (season === null) return last + allowed;
  let year = new Date(last).getUTCFullYear() - 1;
  while (Date.UTC(year, season - 1) <= last) year++;
  return Math.max(last + allowed, Date.UTC(year, season + 2) + 30 * DAY);
}

/** S4, S6 at an instant, from the memory of the one before. */
function classify(seen: View, _policy: Policy, at: number, memory: Memory): Memory {
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
  policy: Policy,
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
  const before = view(facts, referrals, policy, at - 1);
  const { profile } = before;
  const newest = Math.max(
    ...facts.filter(({ occurredAt }) => occurredAt < at).map(({ occurredAt }) => occurredAt),
  );
  const seen = facts.filter(({ occurredAt }) => occurredAt < at);
  const inquiries = winners(seen.filter((e): e is Inquiry => e.topic === "inquiries"));
  const surveys = winners(seen.filter((e): e is Survey => e.topic === "surveys"));
  const falls: Record<DeadlineName, boolean> = {
    lapse: before.lapseAt === at,
    overdue: before.orders.some(
      ({ placed, paidAt }) =>
        paidAt === null &&
        placed.dueAt !== null &&
        placed.dueAt + profile.payment.overdueMs === at &&
        newest - placed.occurredAt <= policy.horizonMs,
    ),
    "window-365d":
      before.orders.some(({ placed }) => placed.occurredAt + YEAR === at) ||
      inquiries.some(
        ({ occurredAt, handlingCostMinor }) => handlingCostMinor > 0 && occurredAt + YEAR === at,
      ) ||
      referrals.some(({ spans }) =>
        spans.some((span) => span.at + YEAR === at && (span.until === null || span.until > at)),
      ),
    "window-730d": before.occasions.some((t) => t + 2 * YEAR === at),
    interest: inquiries.some(
      ({ kind, occurredAt }) =>
        ["INFORMATION", "QUOTE", "VISIT"].includes(kind) && occurredAt + profile.interestMs === at,
    ),
    survey: surveys.some(({ occurredAt }) => occurredAt + profile.surveyMs === at),
    tenure: memory.accountSince !== null && memory.accountSince + profile.patron.tenureMs === at,
    "divest-age": before.occasions[0] !== undefined && before.occasions[0] + 180 * DAY === at,
  };
  const name = (Object.keys(falls) as DeadlineName[]).find((candidate) => falls[candidate]);
  return { kind: "DEADLINE", ref: name ?? null };
}
