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

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** Derives all figures. `accountSince` is the fold's own memory just before this instant (S6.2). */
export function figuresOf(window: Window, accountSince: number | null): Figures {
  return { ...deriveInto(shared, window, accountSince) };
}

/**
 * The same in one object that the next call fills anew: most instants change nothing, and their figures need not outlive the
 * look at them (a seventh of what an event left behind for the garbage collector).
 */
export function passingFiguresOf(window: Window, accountSince: number | null): Figures {
  return deriveInto(shared, window, accountSince);
}

function deriveInto(figures: Mutable<Figures>, window: Window, accountSince: number | null): Figures {
  const { ledger, at } = window;
  const profile = ledger.profile;
  const { occasions } = ledger;
  const first365 = window.firstOccasion365;
  const first730 = window.firstOccasion730;
  const lastAt = occasions.lastAt;
  const occasions365 = occasions.length - first365;
  const lapse = ledger.lapse;
  const cost = window.orderCost + window.handlingCost;
  const firstOccasionAt = ledger.firstOccasionAt;
  figures.profile = profile.name;
  figures.profileInForce = profile;
  figures.occasionsEver = ledger.occasionsEver;
  figures.occasions365 = occasions365;
  figures.occasions730 = occasions.length - first730;
  figures.occasionsPriorYear = first365 - first730;
  figures.span365Ms = occasions365 < 2 ? 0 : (lastAt ?? 0) - (occasions.ats[first365] ?? 0);
  figures.firstOccasionAt = firstOccasionAt === null ? null : instant(firstOccasionAt);
  figures.lastOccasionAt = lastAt === null ? null : instant(lastAt);
  figures.revenueMinor = window.revenue;
  figures.costMinor = cost;
  figures.profitMinor = window.revenue - cost;
  figures.units = window.units;
  figures.categories = window.categories;
  surveyInto(figures, window, profile.surveyMs);
  figures.dbtDays = daysBeyondTerms(window, profile.payment);
  figures.isSlow = isLaterThan(window, profile.payment.slowDays);
  figures.isBad = isLaterThan(window, profile.payment.badDays);
  figures.overdue = isOverdue(window, profile);
  figures.referrals = referralsIn(window);
  figures.interest = firstInterestAfter(window, at - profile.interestMs) !== null;
  figures.fit = ledger.fit;
  figures.canBuy = ledger.canBuy;
  figures.seasonal = lapse?.seasonal ?? false;
  figures.lapseAt = lapse === null ? null : instant(lapse.lapseAt);
  figures.accountSince = accountSince === null ? null : instant(accountSince);
  return figures;
}

/** The first inquiry that shows interest after an instant (S3.9); null: none. */
export function firstInterestAfter(window: Window, after: number): number | null {
  const { interests } = window.ledger;
  return interests[firstAfter(interests, after)]?.at ?? null;
}

/** S3.6 and SPONSOR's hold: the latest score in the window, and whether some score ≥ 9 is in it. */
function surveyInto(figures: Mutable<Figures>, window: Window, surveyMs: number): void {
  const { surveys } = window.ledger;
  const from = window.at - surveyMs;
  const last = surveys.at(-1);
  figures.promoterInWindow = false;
  figures.survey = last === undefined || last.at <= from ? null : last.score;
  if (figures.survey === null) return;
  for (let i = surveys.length - 1; i >= 0; i--) {
    const survey = surveys[i];
    if (survey === undefined || survey.at <= from) return;
    if (survey.score < 9) continue;
    figures.promoterInWindow = true;
    return;
  }
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

/** Filled anew by each call; what it begins with is never read. */
const shared: Mutable<Figures> = {
  profile: "",
  profileInForce: undefined as unknown as Profile,
  occasionsEver: 0,
  occasions365: 0,
  occasions730: 0,
  occasionsPriorYear: 0,
  span365Ms: 0,
  firstOccasionAt: null,
  lastOccasionAt: null,
  revenueMinor: 0,
  costMinor: 0,
  profitMinor: 0,
  units: 0,
  categories: null,
  survey: null,
  promoterInWindow: false,
  dbtDays: 0,
  isSlow: false,
  isBad: false,
  overdue: false,
  referrals: 0,
  interest: false,
  fit: 0,
  canBuy: true,
  seasonal: false,
  lapseAt: null,
  accountSince: null,
};
