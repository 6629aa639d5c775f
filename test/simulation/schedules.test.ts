import { describe, expect, test } from "vitest";
import { simulateApart } from "./apart.ts";
import { runSchedule } from "./schedule.ts";
import { simulate, type Summary } from "./simulate.ts";
import { CRASH_POINTS } from "./tally.ts";

/** So many in each of two processes; `npm run simulate` looks further. */
const SCHEDULES = 6000;

async function expectNoViolation(from: number): Promise<Summary> {
  const { summary, said } = await simulateApart({ from, schedules: SCHEDULES });
  if (summary.violations > 0) throw new Error(said);
  expect(summary.schedules).toBe(SCHEDULES);
  return summary;
}

describe("random schedules of crashes, zombies and losses (A4)", () => {
  test.concurrent(
    "each change once, each state true, everything ends: the first half of the seeds",
    async () => {
      const { tally } = await expectNoViolation(1);
      // What A4 names has happened, often.
      for (const point of CRASH_POINTS) expect([point, tally.crashes[point] > 100]).toEqual([point, true]);
      for (const [path, count] of Object.entries(tally.acquired))
        expect([path, count > 100]).toEqual([path, true]);
      for (const kind of ["applied", "fenced", "behind"] as const)
        expect(tally.scripts[kind]).toBeGreaterThan(100);
      const { fencedTransactions, lateArrivals, freezes, regressions, wipes, silentStarts } = tally;
      const { policyChanges, overtakings } = tally;
      for (const count of [
        fencedTransactions,
        lateArrivals,
        freezes,
        regressions,
        wipes,
        policyChanges,
        overtakings,
        silentStarts,
      ])
        expect(count).toBeGreaterThan(100);
    },
  );

  test.concurrent("… and the second", () => expectNoViolation(1 + SCHEDULES));
});

describe("a seed is a schedule", () => {
  const SEEDS = Array.from({ length: 40 }, (_, i) => 1 + i);

  test("run twice, it takes the same steps and comes to the same, byte for byte", async () => {
    for (const seed of SEEDS) {
      const first = await runSchedule(seed, { trace: true });
      const second = await runSchedule(seed, { trace: true });
      expect(first.trace!.length).toBeGreaterThan(10);
      expect(second.trace!.join("\n")).toBe(first.trace!.join("\n"));
      // Watched or not.
      expect((await runSchedule(seed)).fingerprint).toBe(first.fingerprint);
    }
  });

  test("other seeds are other schedules", async () => {
    const fingerprints = new Set<number>();
    for (const seed of SEEDS) fingerprints.add((await runSchedule(seed)).fingerprint);
    expect(fingerprints.size).toBe(SEEDS.length);
  });

  test("in another process too", async () => {
    const here = await simulate({
      from: 1,
      count: SEEDS.length,
      deadlineAt: Infinity,
      first: false,
      again: "",
      run: (seed) => runSchedule(seed),
      say: () => undefined,
    });
    const { summary } = await simulateApart({ from: 1, schedules: SEEDS.length });
    expect(summary.fingerprint).toBe(here.fingerprint);
    expect(summary.tally).toEqual(JSON.parse(JSON.stringify(here.tally)));
  });
});
