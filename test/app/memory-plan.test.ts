import { expect, test } from "vitest";
import { planMemory } from "../../src/app/memory-plan.ts";
import { UsageError } from "../../src/pipeline/errors.ts";

const GIB = 2 ** 30;

test.each([
  { threads: 1, gib: 0.5, heapMiB: 307, youngMiB: 39, cacheMiB: 61 },
  { threads: 4, gib: 8, heapMiB: 1228, youngMiB: 154, cacheMiB: 245 },
  { threads: 2, gib: 24, heapMiB: 7372, youngMiB: 192, cacheMiB: 1024 },
  { threads: 1, gib: 256, heapMiB: 12_288, youngMiB: 192, cacheMiB: 1024 },
])("$threads threads share $gib GiB", ({ threads, gib, ...plan }) => {
  expect(planMemory(threads, "auto", gib * GIB)).toEqual(plan);
});

test("a cache is as large as it is asked to be, if that leaves half of the heap", () => {
  expect(planMemory(2, 3686, 24 * GIB).cacheMiB).toBe(3686);
  expect(() => planMemory(2, 3687, 24 * GIB)).toThrow(
    new UsageError("SETTINGS", [
      "CLIENTELA_CACHE_MIB: 3687 in each of 2 thread(s) is more than this machine has room for: at most 3686, or fewer threads (CLIENTELA_THREADS)",
    ]),
  );
});
