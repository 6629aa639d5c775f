import { DAY_MS, instant, toIso } from "../shared/instant.ts";
import type { Axis, Stage, Tag } from "./classification.ts";
import type { Reason, ReasonValue } from "./change.ts";
import { DIVEST_AGE_MS, isHeld, type Before } from "./classify.ts";
import type { Figures } from "./figures.ts";

/** A rule with what was observed and asked for, and whether it holds. */
export interface Check extends Reason {
  readonly holds: boolean;
}

function check(
  axis: Axis,
  rule: string,
  observed: ReasonValue,
  operator: Reason["operator"],
  threshold: ReasonValue,
  holds: boolean,
): Check {
  return { axis, rule, observed, operator, threshold, holds };
}

/** S4, in the order in which they decide. */
export function statusChecks(figures: Figures, at: number): Check[] {
  const checks = [check("status", "occasions", figures.occasionsEver, "≥", 1, figures.occasionsEver >= 1)];
  if (figures.occasionsEver >= 1) {
    const lapseAt = figures.lapseAt;
    checks.push(
      check(
        "status",
        "lapse",
        toIso(instant(at)),
        "<",
        lapseAt === null ? null : toIso(lapseAt),
        lapseAt !== null && at < lapseAt,
      ),
    );
    return checks;
  }
  const { fitThreshold } = figures.profileInForce;
  checks.push(
    check("status", "canBuy", figures.canBuy, "=", true, figures.canBuy),
    check("status", "interest", figures.interest, "=", true, figures.interest),
    check("status", "fit", figures.fit, "≥", fitThreshold, figures.fit >= fitThreshold),
  );
  return checks;
}

/** The conditions of one rung (S6.1), with the values that apply after `before`. */
export function rungChecks(
  rung: Stage,
  figures: Figures,
  at: number,
  isActive: boolean,
  before: Before,
): Check[] {
  const stage = (
    rule: string,
    observed: ReasonValue,
    operator: Reason["operator"],
    threshold: ReasonValue,
    holds: boolean,
  ): Check => check("stage", rule, observed, operator, threshold, holds);
  const { profileInForce: profile } = figures;
  switch (rung) {
    case "NONE":
      return [
        stage("occasions730", figures.occasions730, "=", 0, figures.occasions730 === 0),
        stage("interest", figures.interest, "=", false, !figures.interest),
      ];
    case "PROSPECT":
      return [
        stage("occasions730", figures.occasions730, "=", 0, figures.occasions730 === 0),
        stage("interest", figures.interest, "=", true, figures.interest),
      ];
    case "TESTER":
      return [stage("occasions730", figures.occasions730, "=", 1, figures.occasions730 === 1)];
    case "BUYER":
      return [stage("occasions730", figures.occasions730, "≥", 2, figures.occasions730 >= 2)];
    case "ACCOUNT": {
      const { occasions, spanMs, categories } = profile.account;
      const side = isHeld("ACCOUNT", before) ? "hold" : "enter";
      return [
        stage("active", isActive, "=", true, isActive),
        stage(
          "occasions365",
          figures.occasions365,
          "≥",
          occasions[side],
          figures.occasions365 >= occasions[side],
        ),
        stage(
          "span365Days",
          figures.span365Ms / DAY_MS,
          "≥",
          spanMs[side] / DAY_MS,
          figures.span365Ms >= spanMs[side],
        ),
        stage(
          "categories",
          figures.categories,
          "≥",
          categories[side],
          figures.categories === null || figures.categories >= categories[side],
        ),
      ];
    }
    case "PATRON": {
      const { revenueMinor, tenureMs } = profile.patron;
      const side = isHeld("PATRON", before) ? "hold" : "enter";
      const tenure = at - (before.accountSince ?? at);
      return [
        ...rungChecks("ACCOUNT", figures, at, isActive, before),
        stage("tenureDays", tenure / DAY_MS, "≥", tenureMs / DAY_MS, tenure >= tenureMs),
        stage("profitMinor", figures.profitMinor, ">", 0, figures.profitMinor > 0),
        stage(
          "revenueMinor",
          figures.revenueMinor,
          "≥",
          revenueMinor[side],
          figures.revenueMinor >= revenueMinor[side],
        ),
        stage("survey", figures.survey, ">", 6, figures.survey === null || figures.survey > 6),
        stage("dbtDays", figures.dbtDays, "≤", profile.payment.slowDays, !figures.isSlow),
        stage("overdue", figures.overdue, "=", false, !figures.overdue),
      ];
    }
    case "SPONSOR":
      return [
        ...rungChecks("ACCOUNT", figures, at, isActive, before),
        stage("profitMinor", figures.profitMinor, "≥", 0, figures.profitMinor >= 0),
        stage("detractor", figures.survey, ">", 6, figures.survey === null || figures.survey > 6),
        recommends(figures, before),
      ];
  }
}

/** SPONSOR's last condition has two ways; the one that holds is told, else the nearer one. */
function recommends(figures: Figures, before: Before): Check {
  if (figures.referrals >= 1) return check("stage", "referrals", figures.referrals, "≥", 1, true);
  const holding = isHeld("SPONSOR", before);
  const least = holding ? 8 : 9;
  const holds = figures.survey !== null && figures.survey >= least && (!holding || figures.promoterInWindow);
  if (holding && figures.survey !== null && figures.survey >= least && !holds) {
    return check("stage", "promoterInWindow", figures.promoterInWindow, "=", true, false);
  }
  return check("stage", "survey", figures.survey, "≥", least, holds);
}

/** S6.2: what keeps a customer down; `holds` = the cap binds. */
export function capChecks(figures: Figures): Check[] {
  const { payment } = figures.profileInForce;
  const detractor = figures.survey !== null && figures.survey <= 6;
  return [
    check("stage", "cap.overdue", figures.overdue, "=", true, figures.overdue),
    check("stage", "cap.dbtDays", figures.dbtDays, ">", payment.badDays, figures.isBad),
    check("stage", "cap.detractor", figures.survey, "≤", 6, detractor),
    check("stage", "cap.profitMinor", figures.profitMinor, "<", 0, figures.profitMinor < 0),
  ];
}

/** S6.3, in the order in which they decide. */
export function valueChecks(figures: Figures, before: Before): Check[] {
  const { aMinor, bMinor } = figures.profileInForce.value;
  const { profitMinor, revenueMinor } = figures;
  const least = (thresholdMinor: number, isHolding: boolean): number =>
    isHolding ? Math.min(thresholdMinor, (9 * thresholdMinor) / 10) : thresholdMinor;
  const a = least(aMinor, before.value === "A");
  const b = least(bMinor, before.value === "A" || before.value === "B");
  return [
    check("value", "A.profitMinor", profitMinor, "≥", a, profitMinor >= a),
    check("value", "B.profitMinor", profitMinor, "≥", b, profitMinor >= b),
    check("value", "D.profitMinor", profitMinor, "<", 0, profitMinor < 0),
    check("value", "C.revenueMinor", revenueMinor, ">", 0, revenueMinor > 0),
  ];
}

/** S6.4. */
export function attentionChecks(
  figures: Figures,
  at: number,
  stage: Stage,
  isInactive: boolean,
  value: string,
): Check[] {
  const negative = figures.profitMinor < 0;
  const checks = [check("attention", "profitMinor", figures.profitMinor, "<", 0, negative)];
  if (!negative) {
    const high = stage === "PATRON" || stage === "SPONSOR";
    checks.push(
      check("attention", "stage", stage, "in", "PATRON, SPONSOR", high),
      check("attention", "value", value, "=", "A", value === "A"),
    );
    return checks;
  }
  const age = figures.firstOccasionAt === null ? 0 : at - figures.firstOccasionAt;
  const low = stage === "NONE" || stage === "PROSPECT" || stage === "TESTER" || stage === "BUYER";
  checks.push(
    check("attention", "stage", stage, "in", "NONE, PROSPECT, TESTER, BUYER", low),
    check("attention", "ageDays", age / DAY_MS, "≥", DIVEST_AGE_MS / DAY_MS, age >= DIVEST_AGE_MS),
    check("attention", "seasonal", figures.seasonal, "=", false, !figures.seasonal),
    isInactive
      ? check("attention", "inactive", true, "=", true, true)
      : check(
          "attention",
          "occasions365Doubled",
          2 * figures.occasions365,
          "≤",
          figures.occasionsPriorYear,
          2 * figures.occasions365 <= figures.occasionsPriorYear,
        ),
  );
  return checks;
}

/** S6.5: what gives a customer the tag; any of them does. CURRENT alone needs all. */
export function tagChecks(tag: Tag, figures: Figures, isActive: boolean): readonly Check[] {
  const { survey, profileInForce } = figures;
  switch (tag) {
    case "ADVOCATE":
      return [
        check("tags", "ADVOCATE.survey", survey, "≥", 9, survey !== null && survey >= 9),
        check("tags", "ADVOCATE.referrals", figures.referrals, "≥", 1, figures.referrals >= 1),
      ];
    case "CURRENT":
      return [
        check("tags", "CURRENT.active", isActive, "=", true, isActive),
        check("tags", "CURRENT.occasions365", figures.occasions365, "≥", 2, figures.occasions365 >= 2),
      ];
    case "DETRACTOR":
      return [check("tags", "DETRACTOR.survey", survey, "≤", 6, survey !== null && survey <= 6)];
    case "PROMOTER":
      return [check("tags", "PROMOTER.survey", survey, "≥", 9, survey !== null && survey >= 9)];
    case "SEASONAL":
      return [check("tags", "SEASONAL.seasonal", figures.seasonal, "=", true, figures.seasonal)];
    case "SLOW_PAYER": {
      const { slowDays } = profileInForce.payment;
      return [
        check("tags", "SLOW_PAYER.dbtDays", figures.dbtDays, ">", slowDays, figures.isSlow),
        check("tags", "SLOW_PAYER.overdue", figures.overdue, "=", true, figures.overdue),
      ];
    }
  }
}
