import { expect, test } from "vitest";
import { medians, ratio } from "./medians.ts";
import { cpuAt } from "./peer.ts";
import { longSpread, quantile, spread } from "./spread.ts";

test("the median of runs is taken figure by figure, with the digits that they have", () => {
  const runs = [
    { rate: 10, cpu: { all: 1.25 }, name: "a", none: null },
    { rate: 40, cpu: { all: 9.5 }, name: "b", none: null },
    { rate: 20, cpu: { all: 3 }, name: "c", none: null },
  ];
  expect(medians(runs)).toEqual({ rate: 20, cpu: { all: 3 }, name: "a", none: null });
  expect(medians(runs.slice(0, 2))).toEqual({ rate: 25, cpu: { all: 5.38 }, name: "a", none: null });
});

test("a run that has no value for a figure does not count for it", () => {
  expect(medians([{ p99: null }, { p99: 5 }, { p99: 7 }])).toEqual({ p99: 6 });
});

test("a ratio has two digits", () => {
  expect(ratio(2, 3)).toBe(0.67);
});

test("a quantile is a value that was there", () => {
  const values = Array.from({ length: 1_000 }, (_, i) => 1_000 - i);
  expect(quantile(values, 0.5)).toBe(500);
  expect(spread(values)).toEqual({ count: 1_000, p50: 500, p99: 990, max: 1_000 });
  expect(longSpread(values)).toEqual({ count: 1_000, p50: 500, p99: 990, p999: 999, max: 1_000 });
  expect(spread([])).toEqual({ count: 0, p50: null, p99: null, max: null });
});

test("CPU between two samples grows evenly", () => {
  const samples = [
    { at: 100, cpu: 2 },
    { at: 200, cpu: 4 },
  ];
  expect(cpuAt(samples, 150)).toBe(3);
  expect(cpuAt(samples, 200)).toBe(4);
  for (const outside of [99, 201]) expect(() => cpuAt(samples, outside)).toThrow("no samples");
});
