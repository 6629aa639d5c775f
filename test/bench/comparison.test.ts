import { describe, expect, it } from "vitest";
import { compareResults, judged, type Comparison } from "./comparison.ts";
import { comparisonText, numberText } from "./comparison-text.ts";
import { KINDS, type Figure } from "./figures.ts";
import type { KeptResult, ResultLine } from "./kept-results.ts";

const conditions = {
  cores: 2,
  cpu: "EPYC",
  memoryGiB: 24,
  platform: "linux",
  node: "24.21.0",
  loadBefore: 0,
  loadAfter: 0,
};

const LIVE = {
  eventsPerSecond: 50_000,
  cpuMicrosPerEvent: { processor: 30, kafka: 4 },
  processorPeakMiB: 2000,
  redisBytesPerCustomer: 500,
};

function kept(change: object = {}): KeptResult {
  const line = { events: 1000, customers: 100, ...LIVE, conditions, ...change };
  return { scenario: "live", release: "0.1.0", date: "2026-01-01", commit: null, ...line };
}

function now(change: object = {}): ResultLine {
  return { scenario: "live", events: 1000, customers: 100, ...LIVE, conditions, ...change };
}

function verdicts({ figures }: Comparison): Record<string, string> {
  return Object.fromEntries(
    figures.filter(({ verdict }) => verdict !== "alike").map(({ path, verdict }) => [path, verdict]),
  );
}

const of = (kind: Figure["kind"], better: Figure["better"]): Figure => ({
  path: "x",
  title: "x",
  unit: "",
  kind,
  better,
});

describe("A result against the kept one", () => {
  it("is alike when nothing has changed", () => {
    const comparison = compareResults(kept(), now());
    expect([verdicts(comparison), comparison.isWorse, comparison.differences]).toEqual([{}, false, []]);
    expect(comparison.figures.map(({ ratio }) => ratio)).toEqual([1, 1, 1, 1, 1]);
  });

  it("is worse when less is done in a second, and better when more is", () => {
    const slower = compareResults(kept(), now({ eventsPerSecond: 30_000 }));
    expect([verdicts(slower), slower.isWorse]).toEqual([{ eventsPerSecond: "worse" }, true]);
    const faster = compareResults(kept(), now({ eventsPerSecond: 70_000 }));
    expect([verdicts(faster), faster.isWorse]).toEqual([{ eventsPerSecond: "better" }, false]);
  });

  it("is worse when it takes more CPU or bytes, and better when less", () => {
    const dearer = { cpuMicrosPerEvent: { processor: 40, kafka: 3 }, redisBytesPerCustomer: 600 };
    const comparison = compareResults(kept(), now(dearer));
    expect(comparison.isWorse).toBe(true);
    expect(verdicts(comparison)).toEqual({
      "cpuMicrosPerEvent.processor": "worse",
      "cpuMicrosPerEvent.kafka": "better",
      redisBytesPerCustomer: "worse",
    });
  });

  it.each((Object.keys(KINDS) as Figure["kind"][]).filter((kind) => kind !== "shown"))(
    "may be worse by the tolerance of %s, and no more",
    (kind) => {
      const { tolerance } = KINDS[kind];
      expect(judged(of(kind, "lower"), 1000, 1000 * (1 + tolerance) - 1)).toBe("alike");
      expect(judged(of(kind, "lower"), 1000, 1000 * (1 + tolerance) + 1)).toBe("worse");
      expect(judged(of(kind, "lower"), 1000, 1000 * (1 - tolerance) - 1)).toBe("better");
      expect(judged(of(kind, "higher"), 1000, 1000 * (1 - tolerance) + 1)).toBe("alike");
      expect(judged(of(kind, "higher"), 1000, 1000 * (1 - tolerance) - 1)).toBe("worse");
    },
  );

  it("is held to less for a ratio within one run than for what a clock tells", () => {
    for (const kind of ["rate", "cpu", "time"] as const) {
      expect(KINDS.ratio.tolerance).toBeLessThan(KINDS[kind].tolerance);
    }
  });

  it("is not worse for a part of a profile, or a longest moment, that moves by less than noise", () => {
    expect(judged(of("sampled", "lower"), 0.1, 0.5)).toBe("alike");
    expect(judged(of("sampled", "lower"), 0.1, 0.7)).toBe("worse");
    expect(judged(of("longest", "lower"), 1, 150)).toBe("alike");
    expect(judged(of("longest", "lower"), 1, 250)).toBe("worse");
  });

  it("is worse when there was none of it before", () => {
    expect(judged(of("count", "lower"), 0, 0)).toBe("alike");
    expect(judged(of("count", "lower"), 0, 1)).toBe("worse");
  });

  it("is worse when a figure is not there any more, and new when it was not there", () => {
    const gone = compareResults(kept(), now({ cpuMicrosPerEvent: { processor: 30, redis: 2 } }));
    expect(verdicts(gone)).toEqual({
      "cpuMicrosPerEvent.kafka": "gone",
      "cpuMicrosPerEvent.redis": "new",
    });
    expect(gone.isWorse).toBe(true);
    expect(compareResults(kept(), now({ eventsPerSecond: null })).isWorse).toBe(true);
    expect(compareResults(kept({ eventsPerSecond: null }), now()).isWorse).toBe(false);
  });

  it("is not judged on another machine, but for bytes", () => {
    const elsewhere = { ...conditions, cpu: "Xeon", cores: 8 };
    const change = { eventsPerSecond: 10, redisBytesPerCustomer: 600, conditions: elsewhere };
    const comparison = compareResults(kept(), now(change));
    expect(verdicts(comparison)).toMatchObject({
      eventsPerSecond: "incomparable",
      redisBytesPerCustomer: "worse",
    });
    expect(comparison.differences).toEqual(["cores: 2 then, 8 now", "cpu: EPYC then, Xeon now"]);
    const { redisBytesPerCustomer: _, ...rest } = change;
    expect(compareResults(kept(), now(rest)).isWorse).toBe(false);
  });

  it("is judged by its ratios alone with other sizes", () => {
    const wait = (eventsRatio: number, events: number): ResultLine => ({
      scenario: "redis-wait",
      events,
      customers: 1,
      eventsRatio,
      eventsPerSecond: { with: [events] },
      conditions,
    });
    const before: KeptResult = { ...wait(95, 1000), release: "0.1.0", date: "", commit: null };
    const comparison = compareResults(before, wait(80, 10));
    expect(comparison.differences).toEqual(["events: 1000 then, 10 now"]);
    expect(verdicts(comparison)).toEqual({
      eventsRatio: "worse",
      "eventsPerSecond.with[]": "incomparable",
    });
  });

  it("tells other versions and other work on the machine, and is judged all the same", () => {
    const before = { ...conditions, kafka: "4.3.1" };
    const other = { ...conditions, kafka: "4.4.0", loadBefore: 3, loadAfter: 9 };
    const comparison = compareResults(
      kept({ conditions: before }),
      now({ conditions: other, eventsPerSecond: 1 }),
    );
    expect(comparison.differences).toEqual(["loadBefore: 0 then, 3 now", "kafka: 4.3.1 then, 4.4.0 now"]);
    expect(comparison.isWorse).toBe(true);
  });
});

describe("A result whose parts are chosen", () => {
  const size = { asConfigured: { eventsPerSecond: 50, busyShare: 0.9, ofBase: { eventsPerSecond: 1 } } };
  const line = (sizes: readonly number[] | undefined, bySize: object): ResultLine => ({
    scenario: "growth-customers",
    ...(sizes === undefined ? {} : { sizes }),
    bySize,
    conditions,
  });
  const keptSizes = (...args: Parameters<typeof line>): KeptResult => {
    return { release: "0.1.0", date: "2026-01-01", commit: null, ...line(...args) };
  };

  it("is judged when the same were measured, each by itself; what only explains is not", () => {
    const slower = { asConfigured: { eventsPerSecond: 30, busyShare: 0.3, ofBase: { eventsPerSecond: 1 } } };
    const before = keptSizes([10, 20], { 10: size, 20: size });
    const comparison = compareResults(before, line([10, 20], { 10: size, 20: slower }));
    expect(verdicts(comparison)).toEqual({ "bySize.20.asConfigured.eventsPerSecond": "worse" });
    expect(comparisonText(comparison)).not.toContain("Infinity");
    expect(compareResults(before, line([10, 20], { 10: size })).isWorse).toBe(true);
  });

  it("is told and not judged when others were, and what was not asked for is not gone", () => {
    const before = keptSizes([10, 20], { 10: size, 20: size });
    const other = { asConfigured: { eventsPerSecond: 5, busyShare: 0.9, ofBase: { eventsPerSecond: 0.1 } } };
    const comparison = compareResults(before, line([20, 40], { 20: other, 40: size }));
    expect(comparison.isWorse).toBe(false);
    expect(new Set(Object.values(verdicts(comparison)))).toEqual(new Set(["incomparable", "new"]));
    expect(comparison.differences).toEqual(["sizes: 10,20 then, 20,40 now"]);
    expect(compareResults(before, line(undefined, {})).isWorse).toBe(false);
  });
});

describe("The table of a comparison", () => {
  it("shows each figure with both values, the ratio, its limit and the verdict", () => {
    const change = { eventsPerSecond: 30_000, conditions: { ...conditions, loadBefore: 3 } };
    const text = comparisonText(compareResults(kept(), now(change)));
    const row = text.split("\n").find((line) => line.includes(" rate ")) ?? "";
    const cells = row.split("│").map((cell) => cell.trim());
    expect(cells).toEqual(["", "rate", "events/s", "50 000", "30 000", "0.60", "≥ 0.75", "WORSE", ""]);
    expect(text).toContain("CPU an event, kafka");
    expect(text).toContain("not the same: loadBefore: 0 then, 3 now");
  });

  it.each([
    [1_234_567, "1 234 567"],
    [1234, "1234"],
    [54_400, "54 400"],
    [99.96, "100"],
    [29, "29"],
    [3.5, "3.5"],
    [0.125, "0.13"],
    [0, "0"],
    [-2.5, "-2.5"],
  ])("writes %d as %s", (value, text) => expect(numberText(value)).toBe(text));
});
