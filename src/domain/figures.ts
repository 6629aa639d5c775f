import { DAY_MS, instant } from "../shared/instant.ts";
import type { Facts } from "./change.ts";
import type { Profile } from "./policy.ts";
import { firstAfter } from "./sorted.ts";
import { YEAR_MS, type Window } from "./window.ts";

/** The derived figures of S3 and S4 at the window's instant, with the exact ones that rules compare but readers need not see. */
export interface Figures extends Facts {
  readonly profileInForce: Profile;
  /** dbt > slow, dbt > bad: both sides integers (S3.7). */
  readonly isSlow: boolean;
  readonly isBad: boolean;
}

/** Derives all figures. `accountSince` is the fold's own memory just before this instant (S6.2). */
export function figuresOf(window: Window, accountSince: number | null): Figures {
  const { ledger, at } = window;
  const profile = ledger.profile;
  const { occasions } = ledger;
  const first365 = firstAfter(occasions, at - YEAR_MS);
  const first730 = firstAfter(occasions, at - 2 * YEAR_MS);
  const last = occasions.at(-1);
  const occasions365 = occasions.length - first365;
  const lapse = ledger.lapse;
  const cost = window.orderCost + window.handlingCost;
  const survey = surveyIn(window, profile.surveyMs);
  const firstOccasionAt = ledger.firstOccasionAt;
  return {
    profile: profile.name,
    profileInForce: profile,
    occasionsEver: ledger.occasionsEver,
    occasions365,
    occasions730: occasions.length - first730,
    occasionsPriorYear: first365 - first730,
    span365Ms: occasions365 < 2 ? 0 : (last?.at ?? 0) - (occasions[first365]?.at ?? 0),
    firstOccasionAt: firstOccasionAt === null ? null : instant(firstOccasionAt),
    lastOccasionAt: last === undefined ? null : instant(last.at),
    revenueMinor: window.revenue,
    costMinor: cost,
    profitMinor: window.revenue - cost,
    units: window.units,
    categories: window.categories,
    survey: survey.latest,
    promoterInWindow: survey.promoter,
    dbtDays: daysBeyondTerms(window, profile.payment),
    isSlow: isLaterThan(window, profile.payment.slowDays),
    isBad: isLaterThan(window, profile.payment.badDays),
    overdue: isOverdue(window, profile),
    referrals: referralsIn(window),
    interest: firstInterestAfter(window, at - profile.interestMs) !== null,
    fit: ledger.fit,
    canBuy: ledger.canBuy,
    seasonal: lapse?.seasonal ?? false,
    lapseAt: lapse === null ? null : instant(lapse.lapseAt),
    accountSince: accountSince === null ? null : instant(accountSince),
  };
}

/** The first inquiry that shows interest after an instant (S3.9); null: none. */
export function firstInterestAfter(window: Window, after: number): number | null {
  const { interests } = window.ledger;
  return interests[firstAfter(interests, after)]?.at ?? null;
}

/** S3.6 and SPONSOR's hold: the latest score in the window, and whether some score ≥ 9 is in it. */
function surveyIn(window: Window, surveyMs: number): { latest: number | null; promoter: boolean } {
  const { surveys } = window.ledger;
  const from = window.at - surveyMs;
  const last = surveys.at(-1);
  if (last === undefined || last.at <= from) return { latest: null, promoter: false };
  for (let i = surveys.length - 1; i >= 0; i--) {
    const survey = surveys[i];
    if (survey === undefined || survey.at <= from) break;
    if (survey.score >= 9) return { latest: last.score, promoter: true };
  }
  return { latest: last.score, promoter: false };
}

/** Whether dbt is more than so many days: Σ gross·late > days·Σ gross, in integers. */
function isLaterThan(window: Window, days: number): boolean {
  if (window.lateProduct === 0n) return false;
  return window.lateProduct > BigInt(Math.round(days * DAY_MS)) * BigInt(window.lateWeight);
}

/** For reading: two decimals, unless these would put it on the other side of a threshold that it has passed (S8). */
function daysBeyondTerms(window: Window, { slowDays, badDays }: Profile["payment"]): number {
  if (window.lateProduct === 0n) return 0;
  const days = Number(window.lateProduct) / window.lateWeight / DAY_MS;
  const rounded = Math.round(days * 100) / 100;
  const misleads = [slowDays, badDays].some((threshold) => days > threshold !== rounded > threshold);
  return misleads ? days : rounded;
}

/** Whether an order is settled at this instant (S2.4), by the newest fact seen. */
function isSettled(window: Window, at: number): boolean {
  return window.ledger.newestAt - at > window.ledger.policy.horizonMs;
}

function isOverdue(window: Window, { payment }: Profile): boolean {
  for (const invoice of window.ledger.open) {
    if ((invoice.dueAt ?? Infinity) + payment.overdueMs > window.at) return false;
    if (!isSettled(window, invoice.at)) return true;
  }
  return false;
}

/** When the next open invoice becomes overdue; Infinity: none will. */
export function overdueAt(window: Window, { payment }: Profile): number {
  const { open } = window.ledger;
  let low = 0;
  let high = open.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((open[middle]?.dueAt ?? Infinity) + payment.overdueMs <= window.at) low = middle + 1;
    else high = middle;
  }
  for (; low < open.length; low++) {
    const invoice = open[low];
    if (invoice !== undefined && !isSettled(window, invoice.at))
      return (invoice.dueAt ?? Infinity) + payment.overdueMs;
  }
  return Infinity;
}

/** Distinct customers referred in W(365) (S3.8). */
function referralsIn(window: Window): number {
  const { referrals } = window.ledger;
  const first = firstAfter(referrals, window.at - YEAR_MS);
  const count = referrals.length - first;
  if (count < 2) return count;
  return new Set(referrals.slice(first).map(({ referredId }) => referredId)).size;
}

/** The figures as they are told to others: without what only rules need. */
export function factsOf(figures: Figures): Facts {
  return {
    profile: figures.profile,
    occasionsEver: figures.occasionsEver,
    occasions365: figures.occasions365,
    occasions730: figures.occasions730,
    occasionsPriorYear: figures.occasionsPriorYear,
    span365Ms: figures.span365Ms,
    firstOccasionAt: figures.firstOccasionAt,
    lastOccasionAt: figures.lastOccasionAt,
    revenueMinor: figures.revenueMinor,
    costMinor: figures.costMinor,
    profitMinor: figures.profitMinor,
    units: figures.units,
    categories: figures.categories,
    survey: figures.survey,
    promoterInWindow: figures.promoterInWindow,
    dbtDays: figures.dbtDays,
    overdue: figures.overdue,
    referrals: figures.referrals,
    interest: figures.interest,
    fit: figures.fit,
    canBuy: figures.canBuy,
    seasonal: figures.seasonal,
    lapseAt: figures.lapseAt,
    accountSince: figures.accountSince,
  };
}
