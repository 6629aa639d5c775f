import type { Referral } from "../../src/domain/events.ts";
import type { PolicyFile } from "../../src/domain/policy-file-format.ts";
import type { Policy, Profile } from "../../src/domain/policy.ts";
import { localDay, localMonthStart } from "./reference-calendar.ts";
import {
  attributesAt,
  inquiriesOf,
  standingOrders,
  surveysOf,
  type Fact,
  type Standing,
} from "./reference-facts.ts";
import { referenceBase } from "./reference-money.ts";

export const DAY = 86_400_000;
export const YEAR = 365 * DAY;

/** What a history is classified by: the resolved policy for its profiles, and the file for what must not be taken from the engine. */
export interface World {
  readonly policy: Policy;
  readonly file: PolicyFile;
}

/** What S3 derives at an instant. */
export interface View {
  readonly profile: Profile;
  readonly orders: readonly Standing[];
  readonly occasions: readonly number[];
  readonly revenue: number;
  readonly cost: number;
  readonly profit: number;
  readonly units: number;
  readonly categories: number | null;
  readonly survey: number | null;
  readonly promoterIn: boolean;
  /** dbt × Σ amount and Σ amount, in milliseconds and minor units (S3.7). */
  readonly lateProduct: bigint;
  readonly lateWeight: bigint;
  readonly late: (days: number) => boolean;
  readonly overdue: boolean;
  readonly referrals: number;
  readonly interest: boolean;
  readonly canBuy: boolean;
  readonly fit: number;
  readonly lapseAt: number | null;
  readonly seasonal: boolean;
}

export function view(facts: readonly Fact[], referrals: readonly Referral[], world: World, at: number): View {
  const { policy, file } = world;
  const timezone = file.timezone ?? "UTC";
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
  const inquiries = inquiriesOf(seen);
  const surveys = surveysOf(seen)
    .filter(({ occurredAt }) => occurredAt > at - profile.surveyMs)
    .sort((a, b) => a.occurredAt - b.occurredAt || (a.eventId < b.eventId ? -1 : 1));
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  const base = (of: { currency: string | null; occurredAt: number }, amountMinor: number): number =>
    referenceBase(file, amountMinor, of.currency, of.occurredAt);
  const revenue = sum(recent.map(({ placed, refunded }) => base(placed, placed.amountMinor - refunded)));
  const cost =
    sum(recent.map(({ placed }) => base(placed, placed.costMinor))) +
    sum(
      inquiries
        .filter(({ occurredAt }) => inYear(occurredAt))
        .map((inquiry) => base(inquiry, inquiry.handlingCostMinor)),
    );
  const named = new Set(recent.flatMap(({ placed }) => placed.categories));
  const withTerms = recent.filter(({ placed, paidAt }) => placed.dueAt !== null && paidAt !== null);
  const weightOf = ({ placed }: Standing): bigint => BigInt(base(placed, placed.amountMinor));
  const lateProduct = withTerms.reduce(
    (total, order) => total + weightOf(order) * BigInt(Math.max(0, order.paidAt! - order.placed.dueAt!)),
    0n,
  );
  const lateWeight = withTerms.reduce((total, order) => total + weightOf(order), 0n);
  const newest = Math.max(-Infinity, ...seen.map(({ occurredAt }) => occurredAt));
  const byDay = new Map<string, number>();
  for (const { placed } of orders) {
    const { year, month, day } = localDay(placed.occurredAt, timezone);
    const key = `${year}-${month}-${day}`;
    byDay.set(key, Math.min(byDay.get(key) ?? Infinity, placed.occurredAt));
  }
  const occasions = [...byDay.values()].sort((a, b) => a - b);
  const season = occasions.length === 0 ? null : seasonOf(occasions, policy, timezone);
  const totalWeight = sum(profile.idealCustomer.map(({ weight }) => weight));
  return {
    profile,
    orders,
    occasions,
    revenue,
    cost,
    profit: revenue - cost,
    units: sum(recent.map(({ placed }) => placed.units)),
    categories: named.size === 0 ? null : named.size,
    survey: surveys.at(-1)?.score ?? null,
    promoterIn: surveys.some(({ score }) => score >= 9),
    lateProduct,
    lateWeight,
    late: (days) => lateProduct > BigInt(days * DAY) * lateWeight,
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
    lapseAt: occasions.length === 0 ? null : lapseAt(occasions, profile, policy, timezone, season),
    seasonal: season !== null,
  };
}

/** S4.5: the start month (1…12), or null. */
function seasonOf(occasions: readonly number[], policy: Policy, timezone: string): number | null {
  const last = occasions.at(-1)!;
  const reach = occasions.filter((t) => t > last - policy.horizonMs);
  let best: { month: number; count: number } | null = null;
  for (let s = 1; s <= 12; s++) {
    const inside = reach
      .map((t) => localDay(t, timezone))
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
  timezone: string,
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
  let { year } = localDay(last, timezone);
  year--;
  while (localMonthStart(year, season, timezone) <= last) year++;
  return Math.max(last + allowed, localMonthStart(year, season + 3, timezone) + 30 * DAY);
}
