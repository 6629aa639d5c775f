import type { Reason, ReasonValue } from "../../domain/change.ts";
import { countText, moneyText, sentenceText } from "./human-text.ts";

/** Texts of rules, as phrases for people with the observed figure and what it is compared with. */
export interface RuleWords {
  readonly currency: string;
}

type Phrase = (reason: Reason, words: RuleWords) => string;

const COMPARISONS: Readonly<Record<Reason["operator"], string>> = {
  "=": "must be",
  "≠": "not",
  "<": "less than",
  "≤": "at most",
  ">": "more than",
  "≥": "at least",
  in: "one of",
  "not in": "none of",
};

const number = (value: ReasonValue): number => (typeof value === "number" ? value : 0);

/** Days are rounded down: 179.9 must not read as the 180 that were asked for. */
const wholeDays = (value: ReasonValue): string => countText(Math.floor(number(value)), "day");

/** The figure, and in brackets what is asked of it; where just this figure was asked for and found, or just that one was not, it speaks for itself. */
function compared(
  text: string,
  { observed, operator, threshold }: Reason,
  show: (value: ReasonValue) => string = String,
): string {
  if ((operator === "=" && observed === threshold) || operator === "≠") return text;
  return `${text} (${COMPARISONS[operator]} ${show(threshold)})`;
}

const shoppingDays =
  (period: string): Phrase =>
  (reason) =>
    compared(`${countText(number(reason.observed), "shopping day")} in ${period}`, reason);

const money =
  (name: string): Phrase =>
  (reason, { currency }) =>
    compared(`${name} ${moneyText(number(reason.observed), currency)}`, reason, (value) =>
      moneyText(number(value), currency),
    );

const survey: Phrase = (reason) => {
  if (reason.observed !== null) return compared(`survey answer ${String(reason.observed)}`, reason);
  const none = "no survey answer in the window";
  return reason.operator === "≥" ? compared(none, reason) : none;
};

const daysLate: Phrase = (reason) =>
  compared(`pays ${number(reason.observed).toFixed(1)} days late on average`, reason);

const recommended: Phrase = (reason) =>
  compared(`recommended to ${countText(number(reason.observed), "customer")} in a year`, reason);

const either =
  (yes: string, no: string): Phrase =>
  ({ observed }) =>
    observed === true ? yes : no;

const day = (value: ReasonValue): string => String(value).slice(0, 10);

const PHRASES: Readonly<Record<string, Phrase>> = {
  occasions: shoppingDays("all"),
  lapse: ({ observed, threshold }) =>
    threshold !== null && String(observed) < String(threshold)
      ? `may stay silent until ${day(threshold)}`
      : `no purchase by ${day(threshold)}`,
  canBuy: either("is able to buy", "marked as unable to buy"),
  interest: either("shows interest", "shows no interest lately"),
  fit: (reason) => {
    const percent = (value: ReasonValue): string => `${Math.round(number(value) * 100)} %`;
    return compared(`fits the ideal customer by ${percent(reason.observed)}`, reason, percent);
  },
  occasions730: shoppingDays("two years"),
  occasions365: shoppingDays("a year"),
  active: either("is ACTIVE", "is not ACTIVE"),
  span365Days: (reason) => compared(`first to last purchase ${wholeDays(reason.observed)}`, reason),
  categories: (reason) =>
    reason.observed === null
      ? "categories unknown"
      : compared(countText(number(reason.observed), "category", "categories"), reason),
  tenureDays: (reason) => compared(`an ACCOUNT or more for ${wholeDays(reason.observed)}`, reason),
  profitMinor: money("profit of a year"),
  revenueMinor: money("revenue of a year"),
  survey,
  detractor: survey,
  dbtDays: daysLate,
  overdue: either("an invoice is long overdue", "no invoice is long overdue"),
  referrals: recommended,
  promoterInWindow: either("a score of 9 or 10 in the window", "the last score of 9 or 10 is too old"),
  "cap.overdue": either("an invoice is long overdue, so BUYER at most", "no invoice is long overdue"),
  "cap.dbtDays": (reason, words) => `${daysLate(reason, words)}, so BUYER at most`,
  "cap.detractor": (reason, words) => `${survey(reason, words)}, so ACCOUNT at most`,
  "cap.profitMinor": (reason, words) => `${money("profit of a year")(reason, words)}, so ACCOUNT at most`,
  "A.profitMinor": money("profit of a year"),
  "B.profitMinor": money("profit of a year"),
  "D.profitMinor": money("profit of a year"),
  "C.revenueMinor": (reason, words) =>
    reason.observed === 0 ? "no revenue in a year" : money("revenue of a year")(reason, words),
  stage: ({ observed }) => `stage ${String(observed)}`,
  value: ({ observed }) => `value ${String(observed)}`,
  ageDays: (reason) => compared(`known for ${wholeDays(reason.observed)}`, reason),
  seasonal: either("buys by season", "no season in its purchases"),
  inactive: either("is INACTIVE", "is not INACTIVE"),
  occasions365Doubled: ({ observed, operator, threshold }) =>
    operator === "≤"
      ? `buys at most half as often as the year before (${number(observed) / 2} after ${String(threshold)})`
      : `buys more than half as often as the year before (${number(observed) / 2} after ${String(threshold)})`,
  "ADVOCATE.survey": survey,
  "ADVOCATE.referrals": recommended,
  "CURRENT.active": either("is ACTIVE", "is not ACTIVE"),
  "CURRENT.occasions365": shoppingDays("a year"),
  "DETRACTOR.survey": survey,
  "PROMOTER.survey": survey,
  "SEASONAL.seasonal": either("buys by season", "no season in its purchases any more"),
  "SLOW_PAYER.dbtDays": daysLate,
  "SLOW_PAYER.overdue": either("an invoice is long overdue", "no invoice is long overdue"),
};

/** One rule for people; a rule without a phrase of its own is told by its name. */
export function ruleText(reason: Reason, words: RuleWords): string {
  const phrase = PHRASES[reason.rule];
  if (phrase !== undefined) return phrase(reason, words);
  return `${sentenceText(reason.rule)} ${String(reason.observed)} (${reason.operator} ${String(reason.threshold)})`;
}

/** The rules that have a phrase; a test compares them with those of the domain. */
export const RULES_WITH_PHRASE: readonly string[] = Object.keys(PHRASES);
