import { describe, expect, it } from "vitest";
import type { Reason, SegmentChange } from "../../../src/domain/change.ts";
import type { Classification } from "../../../src/domain/classification.ts";
import { changeLine, decidingReasons, differenceText } from "../../../src/app/demo/change-line.ts";
import { createPalette } from "../../../src/app/demo/palette.ts";
import { ruleText } from "../../../src/app/demo/rule-text.ts";
import { lived, order } from "./stories/lived.ts";

const palette = createPalette(false);
const at: Classification = {
  status: "ACTIVE",
  stage: "BUYER",
  value: "C",
  attention: "MAINTAIN",
  tags: ["CURRENT"],
};
const lineOptions = { tell: () => null, currency: "EUR", columns: Infinity, palette };

describe("differenceText", () => {
  it.each<[Classification | null, Partial<Classification>, string]>([
    [null, {}, "new: ACTIVE BUYER"],
    [at, { stage: "ACCOUNT", value: "B" }, "BUYER → ACCOUNT"],
    [at, { status: "INACTIVE" }, "ACTIVE → INACTIVE"],
    [at, { status: "UNQUALIFIED", stage: "NONE" }, "ACTIVE BUYER → UNQUALIFIED"],
    [at, { value: "B" }, "value C → B"],
    [at, { attention: "REVIEW", value: "D" }, "MAINTAIN → REVIEW, value C → D"],
    [at, { tags: ["SEASONAL"] }, "+SEASONAL −CURRENT"],
  ])("tells the weightiest axes", (previous, changes, expected) => {
    expect(differenceText(previous, { ...at, ...changes }, palette)).toBe(expected);
  });
});

describe("decidingReasons", () => {
  it("names, on the way up, the condition that was met most narrowly; on the way down what was lost", async () => {
    const orders = Array.from({ length: 10 }, (_, i) => order(20 * i));
    const { published } = await lived(orders, 600);
    const rules = (stage: string): string[] => {
      const found = published.find(
        ({ change }) => change.current.stage === stage && change.changed.includes("stage"),
      );
      return decidingReasons(found?.change as SegmentChange).map(({ rule }) => rule);
    };
    expect(rules("ACCOUNT")).toEqual(["span365Days", "categories"]);
    const lapse = published.find(({ change }) => change.current.status === "INACTIVE");
    expect(decidingReasons(lapse?.change as SegmentChange).map(({ rule }) => rule)).toEqual(["lapse"]);
    const fall = published.findLast(
      ({ change }) => change.current.stage === "BUYER" && change.previous?.stage === "ACCOUNT",
    );
    expect(fall).toBe(lapse);
  });
});

describe("changeLine", () => {
  it("gives an event, a deadline and a late fact their words and days", async () => {
    const missing = order(118);
    const orders = Array.from({ length: 5 }, (_, i) => order(14 * i));
    const { published } = await lived(orders, 140, [{ event: missing, arrives: 130 }]);
    const lines = published.map(({ change, noticedAt, lateFact }) =>
      changeLine(change, { ...lineOptions, noticedAt, lateFact }),
    );
    expect(lines[0]).toMatch(
      /^2023-01-01 {2}event {2}C-1 {5}new: ACTIVE TESTER +a record of orders; 1 shopping day in two years$/,
    );
    expect(lines.find((line) => line.includes("→ INACTIVE"))).toMatch(
      /^2023-05-04 {2}time {3}C-1 {5}ACTIVE → INACTIVE +its time to buy again ran out; no purchase by 2023-05-04$/,
    );
    expect(lines.find((line) => line.includes(" late "))).toMatch(
      /^2023-05-11 {2}late {3}C-1 {5}INACTIVE → ACTIVE +order o\d+, €100\.00 of 2023-04-29, told 12 days late; may stay silent until 2023-/,
    );
  });

  it("is cut at the width of the terminal", async () => {
    const { published } = await lived([order(0)], 1);
    const [first] = published;
    if (first === undefined) throw new Error("nothing was published");
    const line = changeLine(first.change, { ...lineOptions, noticedAt: 0, lateFact: null, columns: 60 });
    expect(line).toHaveLength(60);
    expect(line.endsWith("…")).toBe(true);
  });
});

describe("ruleText", () => {
  const reason = (fields: Partial<Reason>): Reason => ({
    axis: "stage",
    rule: "occasions365",
    observed: 6,
    operator: "≥",
    threshold: 6,
    ...fields,
  });
  it.each<[Partial<Reason>, string]>([
    [{}, "6 shopping days in a year (at least 6)"],
    [{ observed: 1, operator: "<" }, "1 shopping day in a year (less than 6)"],
    [
      { rule: "revenueMinor", observed: 250_050, threshold: 200_000 },
      "revenue of a year €2,500.50 (at least €2,000.00)",
    ],
    [
      { rule: "tenureDays", observed: 179.99, threshold: 180 },
      "an ACCOUNT or more for 179 days (at least 180)",
    ],
    [{ rule: "categories", observed: null, threshold: 3 }, "categories unknown"],
    [{ rule: "occasions730", observed: 1, operator: "=", threshold: 1 }, "1 shopping day in two years"],
    [
      { rule: "occasions730", observed: 2, operator: "=", threshold: 1 },
      "2 shopping days in two years (must be 1)",
    ],
    [
      {
        rule: "lapse",
        observed: "2024-01-01T00:00:00.000Z",
        operator: "<",
        threshold: "2024-02-01T00:00:00.000Z",
      },
      "may stay silent until 2024-02-01",
    ],
    [
      {
        rule: "lapse",
        observed: "2024-02-01T00:00:00.000Z",
        operator: "≥",
        threshold: "2024-02-01T00:00:00.000Z",
      },
      "no purchase by 2024-02-01",
    ],
    [{ rule: "new-rule", observed: 1, operator: "<", threshold: 2 }, "New-rule 1 (< 2)"],
  ])("speaks in human units", (fields, expected) => {
    expect(ruleText(reason(fields), { currency: "EUR" })).toBe(expected);
  });
});
