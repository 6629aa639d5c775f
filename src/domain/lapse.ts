import { DAY_MS } from "../shared/instant.ts";
import type { Calendar } from "./calendar.ts";
import type { Profile } from "./policy.ts";
import type { Occasions } from "./occasions.ts";

/** What the occasions up to tₙ say of the time after it (S4.1–S4.5). */
export interface Lapse {
  /** D: from here on INACTIVE if nothing is bought. */
  readonly lapseAt: number;
  readonly seasonal: boolean;
}

/** Gaps between occasions that count (S4.2). */
const GREATEST_GAPS = 8;
/** A seasonal customer has this long after its season before it lapses (S4.5). */
const SEASON_GRACE_MS = 30 * DAY_MS;

/**
 * S4.1–S4.5 for the occasions up to and including the last one.
 * @param occasions at least one; those in reach of the horizon before the last are all there
 * @param n occasions ever, settled ones too (S4.4)
 */
export function lapseOf(
  occasions: Occasions,
  n: number,
  parameters: Profile["lapse"],
  horizonMs: number,
  calendar: Calendar,
): Lapse {
  const lastAt = occasions.lastAt;
  if (lastAt === null) throw new Error("lapseOf needs an occasion");
  const reach = lastAt - horizonMs;
  const allowed = allowedMs(occasions.ats, n, reach, parameters);
  const season = seasonOf(occasions, reach);
  const lapseAt = lastAt + allowed;
  if (season === null) return { lapseAt, seasonal: false };
  const opens = nextSeason(occasions.months.at(-1) ?? 0, season);
  const opensLater = calendar.monthStart(opens) > lastAt ? opens : opens + 12;
  const seasonEndAt = calendar.monthStart(opensLater + 3);
  return { lapseAt: Math.max(lapseAt, seasonEndAt + SEASON_GRACE_MS), seasonal: true };
}

/** L of S4.2–S4.4, in ms: IEEE doubles in the order of the formula. */
function allowedMs(
  ats: readonly number[],
  n: number,
  reach: number,
  { factor, priorGapMs, priorWeight, minMs, maxMs, firstMs }: Profile["lapse"],
): number {
  if (n < 3) return firstMs;
  let sum = 0;
  let count = 0;
  for (let i = ats.length - 1; i > 0 && count < GREATEST_GAPS; i--) {
    const from = ats[i - 1] ?? -Infinity;
    if (from <= reach) break;
    sum += (ats[i] ?? 0) - from;
    count++;
  }
  if (count === 0 && priorWeight === 0) return firstMs;
  const mean = (priorWeight * priorGapMs + sum) / (priorWeight + count);
  return Math.min(Math.max(Math.floor(factor * mean), minMs), maxMs);
}

/** First month (0…11) of the three in which at least 7 of 10 occasions fall, over two season-years or more; null: none (S4.5). */
function seasonOf(occasions: Occasions, reach: number): number | null {
  const { months } = occasions;
  const first = occasions.firstAfter(reach);
  const total = months.length - first;
  // The same season of two years is at least ten months apart (February of one, December of the other).
  if (total < 2 || (months[months.length - 1] ?? 0) - (months[first] ?? 0) < 10) return null;
  perMonth.fill(0);
  for (let i = first; i < months.length; i++) {
    const month = (months[i] ?? 0) % 12;
    perMonth[month] = (perMonth[month] ?? 0) + 1;
  }
  let best: number | null = null;
  let bestCount = 0;
  for (let start = 0; start < 12; start++) {
    const count =
      (perMonth[start] ?? 0) + (perMonth[(start + 1) % 12] ?? 0) + (perMonth[(start + 2) % 12] ?? 0);
    if (10 * count < 7 * total || count <= bestCount) continue;
    if (isOverTwoYears(months, first, start)) {
      best = start;
      bestCount = count;
    }
  }
  return best;
}

/** Occasions by month of the year, for one call at a time. */
const perMonth = new Int32Array(12);

function isOverTwoYears(months: readonly number[], first: number, start: number): boolean {
  let year: number | null = null;
  for (let i = first; i < months.length; i++) {
    const month = months[i] ?? 0;
    const into = (((month - start) % 12) + 12) % 12;
    if (into > 2) continue;
    const seasonYear = month - into;
    if (year === null) year = seasonYear;
    else if (year !== seasonYear) return true;
  }
  return false;
}

/** The first season (as its opening month's number) that opens in this month or later. */
function nextSeason(month: number, start: number): number {
  return month + ((((start - month) % 12) + 12) % 12);
}
