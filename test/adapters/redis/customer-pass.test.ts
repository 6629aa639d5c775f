import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CustomerPass } from "../../../src/adapters/redis/customer-pass.ts";

const id = fc.string({
  unit: fc.constantFrom("a", "b", "é", "ﬀ", "\u{1f600}", "Z"),
  minLength: 1,
  maxLength: 4,
});
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe("customer pass", () => {
  test("pages are what sorting by UTF-8 bytes gives", () => {
    fc.assert(
      fc.property(fc.array(id), id, fc.integer({ min: 1, max: 5 }), (ids, other, limit) => {
        const expected = [...new Set(ids)].sort(byBytes);
        const pass = new CustomerPass(new Set(ids));
        const walked: string[] = [];
        for (let page = pass.page("", limit); page.length > 0; page = pass.page(page.at(-1)!, limit)) {
          walked.push(...page);
        }
        expect(walked).toEqual(expected);
        expect(pass.page(other, limit)).toEqual(
          expected.filter((each) => byBytes(each, other) > 0).slice(0, limit),
        );
        expect(pass.holds(other)).toBe(ids.includes(other));
      }),
      { numRuns: 500 },
    );
  });

  test("only the page after the last one given continues it", () => {
    const pass = new CustomerPass(new Set(["a", "b", "c"]));
    expect(pass.continues("")).toBe(true);
    pass.page("", 2);
    expect([pass.continues("b"), pass.continues("a"), pass.continues("")]).toEqual([true, false, false]);
    pass.page("b", 2);
    expect(pass.continues("c")).toBe(false);
  });
});
