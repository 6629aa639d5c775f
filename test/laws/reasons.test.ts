import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChangeDraft, Facts, Reason, ReasonValue } from "../../src/domain/change.ts";
import { AXES, STAGES, type Classification, type Stage } from "../../src/domain/classification.ts";
import { newCustomer } from "../../src/domain/customer.ts";
import { explain, type ExplainedRule } from "../../src/domain/explain.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import { instant, toIso } from "../../src/shared/instant.ts";
import { arrival } from "./arrival.ts";
import { CUSTOMER, DAY, erasableHistory, START, WORLDS } from "./histories.ts";
import { referenceFacts, referenceTimeline } from "./reference.ts";

const worlds = fc.constantFrom(...WORLDS);

describe("reasons (S8): checkable by hand from the facts", () => {
  test("each changed axis has reasons, each is true, and each observes what the facts say", () => {
    fc.assert(
      fc.property(worlds, arrival(erasableHistory(900, 14)), (world, events) => {
        const options = { policy: world.policy, quiet: false, forget: true };
        const customer = newCustomer(CUSTOMER);
        events.forEach((event, i) => {
          const outcome = foldEvent(customer, event, null, options);
          if (outcome.kind !== "folded") return;
          const { outputs } = outcome;
          for (const [n, draft] of outputs.entries()) {
            if (draft === null) continue;
            // Before the tombstone come the deadlines that passed while the erased facts were there.
            const known = events.slice(0, outputs.indexOf(null) > n ? i : i + 1);
            expect(draft.facts).toMatchObject(referenceFacts(known, world, draft.effectiveAt));
            checkReasons(draft);
          }
        });
        for (const draft of advance(customer, instant(START + 2400 * DAY), options)) checkReasons(draft!);
      }),
      { numRuns: 250 },
    );
  });

  test("the rules that explain show the classification that the reference finds", () => {
    fc.assert(
      fc.property(worlds, arrival(erasableHistory(900, 14)), fc.nat(2000), (world, events, day) => {
        const { policy } = world;
        const customer = newCustomer(CUSTOMER);
        for (const event of events) foldEvent(customer, event, null, { policy, quiet: true, forget: true });
        const at = instant(START + day * DAY);
        const explained = explain(customer, at, policy);
        const current = referenceTimeline(events, world, at).at(-1);
        expect(explained === null).toBe(current === undefined);
        if (explained === null || current === undefined) return;
        const { classification, stages, caps, missing } = explained;
        expect({ since: explained.since, cause: explained.cause }).toEqual({
          since: current.at,
          cause: current.cause,
        });
        const rung = stages.findLast(({ rules }) => rules.every(({ holds }) => holds))!.stage;
        expect(capped(rung, caps)).toBe(classification.stage);
        const value = explained.value.find(({ holds }) => holds);
        expect(value?.rule.split(".")[0] ?? "NONE").toBe(classification.value);
        expect(attentionBy(explained.attention, classification)).toBe(classification.attention);
        expect(tagsBy(explained.tags)).toEqual(classification.tags);
        expect(missing?.stage).toBe(STAGES[STAGES.indexOf(classification.stage) + 1]);
        // A rung below may hold nothing more than the one above it asks for: TESTER asks for exactly one occasion.
        if (missing !== null && missing.stage !== "TESTER" && missing.stage !== "PROSPECT")
          expect(missing.rules.length).toBeGreaterThan(0);
      }),
      { numRuns: 250 },
    );
  });
});

function checkReasons(draft: ChangeDraft): void {
  const { previous, current, changed, reasons } = draft;
  expect(changed).toEqual(
    AXES.filter(
      (axis) => previous === null || JSON.stringify(previous[axis]) !== JSON.stringify(current[axis]),
    ),
  );
  expect(new Set(reasons.map(({ axis }) => axis))).toEqual(
    new Set(changed.filter((axis) => told(draft, axis))),
  );
  for (const reason of reasons) {
    expect({ ...reason, holds: isTrue(reason) }).toEqual({ ...reason, holds: true });
    expect({ ...reason, observed: observedIn(draft, reason) }).toEqual(reason);
  }
}

/** A first classification that has no tags has nothing to say of them. */
function told({ previous, current }: ChangeDraft, axis: string): boolean {
  return axis !== "tags" || previous !== null || current.tags.length > 0;
}

function isTrue({ rule, observed, operator, threshold }: Reason): boolean {
  // Unknown categories and no survey stand in nobody's way (S6.1).
  if (observed === null && (rule === "categories" || operator === ">")) return true;
  switch (operator) {
    case "=":
      return observed === threshold;
    case "≠":
      return observed !== threshold;
    case "<":
      return compare(observed, threshold) < 0;
    case "≤":
      return compare(observed, threshold) <= 0;
    case ">":
      return compare(observed, threshold) > 0;
    case "≥":
      return compare(observed, threshold) >= 0;
    case "in":
      return String(threshold).split(", ").includes(String(observed));
    case "not in":
      return !String(threshold).split(", ").includes(String(observed));
  }
}

function compare(a: ReasonValue, b: ReasonValue): number {
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a === b ? 0 : 1;
  // No score is below every threshold.
  return (a === null ? -1 : Number(a)) - Number(b);
}

/** What a reader of the change finds for a rule. */
function observedIn({ facts, effectiveAt, current }: ChangeDraft, { rule, axis }: Reason): ReasonValue {
  const name = rule.split(".").at(-1)!;
  const derived: Record<string, ReasonValue> = {
    occasions: facts.occasionsEver,
    lapse: toIso(effectiveAt),
    active: current.status === "ACTIVE",
    inactive: current.status === "INACTIVE",
    span365Days: facts.span365Ms / DAY,
    tenureDays: (effectiveAt - (facts.accountSince ?? effectiveAt)) / DAY,
    ageDays: facts.firstOccasionAt === null ? 0 : (effectiveAt - facts.firstOccasionAt) / DAY,
    occasions365Doubled: 2 * facts.occasions365,
    detractor: facts.survey,
    stage: current.stage,
    value: current.value,
  };
  if (axis === "attention" && name === "stage") return current.stage;
  return name in derived ? derived[name]! : facts[name as keyof Facts];
}

function capped(rung: Stage, caps: readonly ExplainedRule[]): Stage {
  const rank = (stage: Stage): number => STAGES.indexOf(stage);
  const cap = caps.some(({ rule, holds }) => holds && ["cap.overdue", "cap.dbtDays"].includes(rule))
    ? "BUYER"
    : caps.some(({ holds }) => holds)
      ? "ACCOUNT"
      : rung;
  return rank(rung) > rank(cap) ? cap : rung;
}

/** S6.4 from its rules: the first says whether profit is negative. */
function attentionBy([negative, ...rest]: readonly ExplainedRule[], { stage }: Classification): string {
  if (negative?.holds === true) return rest.every(({ holds }) => holds) ? "DIVEST" : "REVIEW";
  expect(rest.find(({ rule }) => rule === "stage")?.observed).toBe(stage);
  return rest.some(({ holds }) => holds) ? "INVEST" : "MAINTAIN";
}

function tagsBy(tags: Readonly<Record<string, readonly ExplainedRule[]>>): string[] {
  return Object.entries(tags)
    .filter(([tag, rules]) =>
      tag === "CURRENT" ? rules.every(({ holds }) => holds) : rules.some(({ holds }) => holds),
    )
    .map(([tag]) => tag)
    .sort();
}
