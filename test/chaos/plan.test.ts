import { describe, expect, test } from "vitest";
import { CRASH_POINTS } from "./crash-points.ts";
import { plannedFacts } from "./facts.ts";
import { planOf, type PlannedDeed } from "./plan.ts";

const HOUR_THIRD_MS = 20 * 60_000;

function plan(seed: number, durationMs = HOUR_THIRD_MS): PlannedDeed[] {
  return planOf({ seed, durationMs, places: [0, 1, 2], mortalPlaces: [1], partitions: 8, isFocused: false });
}

describe("the adversary's plan", () => {
  test("is decided by the seed alone", () => {
    expect(plan(5)).toEqual(plan(5));
    expect(plan(5)).not.toEqual(plan(6));
  });

  test.each([1, 2, 3])("of twenty minutes has enough of everything, seed %i", (seed) => {
    const deeds = plan(seed).map(({ deed }) => deed);
    const count = (...kinds: string[]): number => deeds.filter(({ kind }) => kinds.includes(kind)).length;
    expect(count("kill", "die at")).toBeGreaterThan(150);
    expect(count("freeze")).toBeGreaterThan(40);
    expect(deeds.filter((deed) => deed.kind === "freeze" && deed.forMs > 10_000).length).toBeGreaterThan(15);
    for (const kind of ["kill broker", "stop broker", "kill Redis", "truncate Redis", "turn Redis back"])
      expect(count(kind), kind).toBeGreaterThan(5);
    for (const kind of ["promote a replica", "kill registry", "burst", "leave", "lose answers"])
      expect(count(kind), kind).toBeGreaterThan(5);
    expect(count("wipe Redis")).toBeGreaterThan(1);
    for (const point of CRASH_POINTS)
      expect(
        deeds.filter((deed) => deed.kind === "die at" && deed.point === point).length,
        point,
      ).toBeGreaterThan(5);
  });
});

describe("the facts of a run", () => {
  const facts = (seed: number): unknown[] => [
    ...plannedFacts({
      seed,
      startedAt: 1_770_000_000_000,
      durationMs: 20_000,
      storiesPerSecond: 8,
      mixedPerSecond: 30,
    }),
  ];

  test("are decided by the seed and the instant it begins", () => {
    expect(facts(5)).toEqual(facts(5));
    expect(facts(5)).not.toEqual(facts(6));
  });

  test("come in the order in which they are sent", () => {
    const times = (facts(5) as { at: number }[]).map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});
