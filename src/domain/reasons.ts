import type { Reason } from "./change.ts";
import type { Axis, Classification, Stage } from "./classification.ts";
import { AXES, STAGES, TAGS } from "./classification.ts";
import { capOf, sameTags, STAGE_RANK, type Before } from "./classify.ts";
import type { Figures } from "./figures.ts";
import {
  attentionChecks,
  capChecks,
  rungChecks,
  statusChecks,
  tagChecks,
  valueChecks,
  type Check,
} from "./rules.ts";

/** The axes in which two classifications differ; all, when there was none before. */
export function changedAxes(previous: Classification | null, current: Classification): Axis[] {
  if (previous === null) return [...AXES];
  return AXES.filter((axis) =>
    axis === "tags" ? !sameTags(previous.tags, current.tags) : previous[axis] !== current[axis],
  );
}

/** For each changed axis the rules that decided (S8): what holds now, and for what was lost, what no longer does. */
export function reasonsFor(
  changed: readonly Axis[],
  previous: Classification | null,
  current: Classification,
  figures: Figures,
  at: number,
  before: Before,
): Reason[] {
  const checks: Check[] = [];
  for (const axis of changed) {
    switch (axis) {
      case "status":
        checks.push(...statusReasons(current, statusChecks(figures, at)));
        break;
      case "stage":
        checks.push(...stageReasons(previous?.stage ?? "NONE", current, figures, at, before));
        break;
      case "value":
        checks.push(...valueReasons(previous, current, valueChecks(figures, before)));
        break;
      case "attention":
        checks.push(...attentionReasons(current, figures, at));
        break;
      case "tags":
        checks.push(...tagReasons(previous, current, figures));
        break;
    }
  }
  return checks.map(({ axis, rule, observed, operator, threshold }) => ({
    axis,
    rule,
    observed,
    operator,
    threshold,
  }));
}

function statusReasons(current: Classification, checks: readonly Check[]): readonly Check[] {
  switch (current.status) {
    case "ACTIVE":
    case "INACTIVE":
      return checks.filter(({ rule }) => rule === "lapse").map(asObserved);
    case "POTENTIAL":
      return checks.filter(({ rule }) => rule !== "fit").map(asObserved);
    case "PROBABLE":
    case "UNQUALIFIED":
      return checks.map(asObserved);
  }
}

/** Up: the conditions of the new rung. Down: what fails for the old one, or the cap that binds, and what the new one rests on. */
function stageReasons(
  previous: Stage,
  current: Classification,
  figures: Figures,
  at: number,
  before: Before,
): Check[] {
  const isActive = current.status === "ACTIVE";
  const of = (stage: Stage): Check[] => rungChecks(stage, figures, at, isActive, before);
  const reached = of(current.stage);
  const cap = capOf(figures);
  const binding = cap === current.stage ? capChecks(figures).filter(({ holds }) => holds) : [];
  if (STAGE_RANK[current.stage] > STAGE_RANK[previous]) return [...reached, ...binding];
  const lost = binding.length > 0 ? [] : of(previous).filter(({ holds }) => !holds);
  return [...binding, ...lost.map(asObserved), ...reached.filter(({ holds }) => holds)];
}

function valueReasons(
  previous: Classification | null,
  current: Classification,
  checks: readonly Check[],
): Check[] {
  const decides = checks.find(({ holds }) => holds);
  const lost = checks.find(({ rule, holds }) => !holds && rule.startsWith(`${previous?.value ?? "-"}.`));
  const deciding = decides === undefined ? checks.map(asObserved) : [decides];
  return lost === undefined || current.value === "NONE" ? [...deciding] : [asObserved(lost), ...deciding];
}

function attentionReasons(current: Classification, figures: Figures, at: number): Check[] {
  const checks = attentionChecks(figures, at, current.stage, current.status === "INACTIVE", current.value);
  if (current.attention === "REVIEW") {
    return checks.filter(({ rule, holds }) => rule === "profitMinor" || !holds).map(asObserved);
  }
  return checks.filter(({ holds }) => current.attention !== "INVEST" || holds).map(asObserved);
}

function tagReasons(previous: Classification | null, current: Classification, figures: Figures): Check[] {
  const reasons: Check[] = [];
  for (const tag of TAGS) {
    const isIn = current.tags.includes(tag);
    if ((previous?.tags.includes(tag) ?? false) === isIn) continue;
    for (const each of tagChecks(tag, figures, current.status === "ACTIVE")) {
      if (each.holds === isIn) reasons.push(asObserved(each));
    }
  }
  return reasons;
}

const OPPOSITE: Readonly<Record<Reason["operator"], Reason["operator"]>> = {
  "=": "≠",
  "≠": "=",
  "<": "≥",
  "≥": "<",
  "≤": ">",
  ">": "≤",
  in: "not in",
  "not in": "in",
};

/** States a rule as what was found: one that does not hold reads with the opposite operator, so that every reason is true. */
function asObserved(check: Check): Check {
  return check.holds ? check : { ...check, operator: OPPOSITE[check.operator], holds: true };
}

/** Rungs from the lowest, for whoever shows all of them. */
export const RUNGS: readonly Stage[] = STAGES;
