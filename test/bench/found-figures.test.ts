import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FIGURES } from "./figures.ts";
import { figuresIn, valuesOf } from "./found-figures.ts";
import { allResults } from "./kept-results.ts";

const conditions = {
  cores: 2,
  cpu: "x",
  memoryGiB: 24,
  platform: "linux",
  node: "24.21.0",
  loadBefore: 0,
  loadAfter: 0,
};

describe("The figures of a scenario", () => {
  it("are found by their path, with the key that stands for the star", () => {
    const line = {
      scenario: "replay",
      events: 1000,
      segments: { eventsPerSecond: 9, peakMiB: 2 },
      conditions,
    };
    expect(figuresIn("replay", line).map(({ path, key, value }) => [path, key, value])).toEqual([
      ["segments.eventsPerSecond", "segments", 9],
      ["segments.peakMiB", "segments", 2],
    ]);
  });

  it("stand in the order of their declaration", () => {
    const line = { bytesAt600Events: 3, bytesAt6Events: 1 };
    expect(figuresIn("memory", line).map(({ value }) => value)).toEqual([1, 3]);
  });

  it("are the median of a list", () => {
    const line = {
      eventsPerSecond: { with: [5, 1, 3] },
      smallCommitsOfOneShard: { with: [{ p50Ms: 2 }, { p50Ms: 4 }] },
    };
    expect(figuresIn("redis-wait", line).map(({ path, value }) => [path, value])).toEqual([
      ["eventsPerSecond.with[]", 3],
      ["smallCommitsOfOneShard.with[].p50Ms", 3],
    ]);
  });

  it.each([
    ["a figure", { bytesAt7Events: 1 }],
    ["a figure below another", { bytesAt6Events: { mean: 1 } }],
    ["a text where a figure should be", { bytesAt6Events: "many" }],
    ["a list where a figure should be", { bytesAt6Events: [1] }],
  ])("are all declared: %s that is not is an error", (_, line) => {
    expect(() => figuresIn("memory", line)).toThrow(/does not declare of memory: bytesAt/);
  });

  it("may be null, when there was nothing to measure, and stay figures", () => {
    expect(figuresIn("rolling-restart", { pauseMs: { p50: null } })[0]).toMatchObject({ value: null });
  });

  it("are not the same as what is told of their list", () => {
    expect([...valuesOf({ exits: [0, "SIGKILL"] })]).toEqual([["exits[]", [0, "SIGKILL"]]]);
    expect(figuresIn("rolling-restart", { exits: [0, "SIGKILL"], changes: { lost: 0 } })).toEqual([]);
  });

  it("are declared for every scenario that is kept, and for every path of it", () => {
    const kept = allResults();
    expect(kept.length).toBeGreaterThan(0);
    for (const result of kept) expect(figuresIn(result.scenario, result)).not.toEqual([]);
  });

  it("are declared for every scenario that can be run", () => {
    const help = execFileSync(process.execPath, [join(import.meta.dirname, "main.ts"), "--help"], {
      encoding: "utf8",
    });
    const scenarios = [...help.matchAll(/^ {2}([a-z-]+): /gm)].map(([, name]) => name);
    expect(scenarios).toContain("assignor");
    expect(scenarios.filter((name) => FIGURES[name ?? ""] === undefined)).toEqual([]);
  });

  it("have a path each", () => {
    for (const { figures } of Object.values(FIGURES)) {
      expect(new Set(figures.map(({ path }) => path)).size).toBe(figures.length);
    }
  });
});
