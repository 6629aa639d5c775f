import { describe, expect, test } from "vitest";
import { instantOrAge } from "../../src/cli/arguments.ts";

describe("--since and --until", () => {
  test.each([
    ["P1D", 86_400_000],
    ["PT90M", 5_400_000],
    ["P2W", 1_209_600_000],
    ["P1DT2H3M4S", 93_784_000],
  ])("%s is so long ago", (value, ms) => {
    const before = Date.now();
    const at = instantOrAge(value);
    expect(at).toBeGreaterThanOrEqual(before - ms);
    expect(at).toBeLessThanOrEqual(Date.now() - ms);
  });

  test("an instant is that instant", () => {
    expect(instantOrAge("2025-01-31T00:00:00Z")).toBe(Date.UTC(2025, 0, 31));
  });

  // Months and years have no fixed length.
  test.each(["P", "PT", "P1M", "P1Y", "1D", "P-1D", "P1DT", "yesterday", ""])("%j is refused", (value) => {
    expect(() => instantOrAge(value)).toThrow("ISO 8601");
  });
});
