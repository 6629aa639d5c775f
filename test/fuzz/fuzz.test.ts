import { describe, expect, test } from "vitest";
import { DEAD_LETTER_REASONS } from "../../src/domain/events.ts";
import { long, rawAvro } from "./raw-avro.ts";
import { fuzz, shrink } from "./run-fuzz.ts";

describe("whatever stands in the topics", () => {
  test("each record is folded, skipped or refused with a reason, and every state stays readable (S2.3, A4)", async () => {
    const { records, outcomes, kinds, states, changes } = await fuzz(20_261, 20_000);
    const own = records - kinds.referral;
    expect(own).toBe(20_000);
    // What never came to pass proves nothing.
    const came = Object.keys(outcomes);
    expect(came).toEqual(expect.arrayContaining(["folded", "duplicate", "superseded", "erased"]));
    for (const reason of DEAD_LETTER_REASONS) expect(came).toContain(`dead_letter ${reason}`);
    expect(Math.min(...Object.values(kinds))).toBeGreaterThan(100);
    expect(states).toBeGreaterThan(3_000);
    expect(changes).toBeGreaterThan(1_000);
  }, 60_000);
});

describe("the mutator", () => {
  test("writes longs that avsc can't: zigzag, of 64 bits", () => {
    expect(long(-1n)).toEqual(Buffer.from([1]));
    expect(long(64n)).toEqual(Buffer.from([0x80, 1]));
    expect(long(-(2n ** 63n))).toEqual(Buffer.from([...Array<number>(9).fill(0xff), 1]));
  });

  test("lays out maps as entries, a name twice if asked", () => {
    const map = { type: "map", values: ["null", "string"] };
    expect(
      rawAvro(map, [
        ["a", null],
        ["a", "b"],
      ]),
    ).toEqual(Buffer.from([4, 2, 97, 0, 2, 97, 2, 2, 98, 0]));
  });

  test("a failure is shown by the fewest records, with those before that it takes", async () => {
    const failing = (needed: readonly number[]) => (indices: readonly number[]) =>
      Promise.resolve(needed.every((index) => indices.includes(index)));
    expect(await shrink(5_000, 6_000, failing([5_321]))).toEqual([5_321]);
    expect(await shrink(5_000, 6_000, failing([17, 5_999]))).toEqual([17, 5_999]);
  });
});
