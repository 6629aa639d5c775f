import { expect, test } from "vitest";
import { collectorFlags, planMemory } from "../../src/app/memory-plan.ts";
import { UsageError } from "../../src/pipeline/errors.ts";

const GIB = 2 ** 30;

test.each([
  { threads: 1, gib: 0.5, heapMiB: 307, youngMiB: 39, cacheMiB: 61 },
  { threads: 4, gib: 8, heapMiB: 1228, youngMiB: 154, cacheMiB: 245 },
  { threads: 2, gib: 24, heapMiB: 7372, youngMiB: 192, cacheMiB: 1024 },
  { threads: 1, gib: 256, heapMiB: 12_288, youngMiB: 192, cacheMiB: 1024 },
])("$threads threads share $gib GiB", ({ threads, gib, ...plan }) => {
  expect(planMemory(threads, "auto", { total: gib * GIB, available: gib * GIB })).toEqual(plan);
});

test("by what is available, however much there is", () => {
  expect(planMemory(2, "auto", { total: 24 * GIB, available: 2 * GIB })).toEqual(
    planMemory(2, "auto", { total: 2 * GIB, available: 2 * GIB }),
  );
});

test("a cache that is asked for is had, with a heap twice as large at least: a start must not hang on what others use just then", () => {
  const total = 24 * GIB;
  expect(planMemory(2, 2048, { total, available: total })).toMatchObject({ heapMiB: 7372, cacheMiB: 2048 });
  expect(planMemory(2, 6144, { total, available: 2 * GIB })).toMatchObject({
    heapMiB: 12_288,
    cacheMiB: 6144,
  });
});

test("unless the machine could never hold it", () => {
  expect(() => planMemory(2, 6145, { total: 24 * GIB, available: 24 * GIB })).toThrow(
    new UsageError("SETTINGS", [
      "CLIENTELA_CACHE_MIB: 6145 in each of 2 thread(s) is more than there is room for: at most 6144 here, or fewer threads (CLIENTELA_THREADS)",
    ]),
  );
});

test("a heap is marked at once where its customers are few enough for it", () => {
  const flagsOf = (cacheMiB: number): readonly string[] =>
    collectorFlags({ heapMiB: 8192, youngMiB: 192, cacheMiB });
  expect(flagsOf(1024)).toContain("--no-incremental-marking");
  expect(flagsOf(1025)).not.toContain("--no-incremental-marking");
  expect(flagsOf(1025)).toContain("--heap-growing-percent=300");
});
