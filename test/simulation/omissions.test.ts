import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runOmissions } from "./omission-report.ts";
import { OMISSIONS } from "./omissions.ts";
import { replaced } from "./replacements.ts";

/** Every omission is caught long before; `npm run simulate -- --omissions` tells the shares. */
const MOST_SCHEDULES = 5000;
const FREQUENT = OMISSIONS.filter(({ isRare }) => isRare !== true);

describe("the simulation misses each part of the protocol that is left out (A4)", () => {
  test("all but the rarest", async () => {
    const results = await runOmissions(FREQUENT, { schedules: MOST_SCHEDULES, first: true });
    expect(results.map(({ omission }) => omission.name)).toEqual(FREQUENT.map(({ name }) => name));
    const missed = results.filter(({ summary }) => summary.violations === 0);
    expect(missed.map(({ omission }) => omission.name)).toEqual([]);
  });
});

describe("what is replaced in the source", () => {
  const REPLACEMENTS = OMISSIONS.flatMap(({ name, replace = [] }) =>
    replace.map((each) => ({ name, ...each })),
  );

  test.each(REPLACEMENTS)("is there just once: $name", (replacement) => {
    const source = readFileSync(new URL(`../../src/${replacement.file}`, import.meta.url), "utf8");
    expect(replaced(source, [replacement])).not.toBe(source);
  });

  test.each([
    ["not there", "a c"],
    ["there twice", "b b"],
  ])("is refused when it is %s", (_, source) => {
    expect(() => replaced(source, [{ file: "x.ts", text: "b", by: "" }])).toThrow(
      /src\/x\.ts has [02] times/,
    );
  });
});
