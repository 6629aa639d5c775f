import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { markedBlock, withMarkedBlock } from "../../../scripts/marked-block.ts";
import { newestResults, type KeptResult } from "../kept-results.ts";
import { performanceDocs, PLOTS_FOLDER } from "./performance-docs.ts";
import { plotsOf } from "./plots.ts";
import { resultText } from "./result-table.ts";

const ROOT = join(import.meta.dirname, "../../..");

function result(scenario: string, figures: object): KeptResult {
  const conditions = {
    cores: 2,
    cpu: "EPYC",
    memoryGiB: 24,
    platform: "linux",
    node: "24.21.0",
    loadBefore: 0.3,
    loadAfter: 1,
  };
  const kept = { scenario, release: "0.1.0", date: "2026-01-02", commit: null, events: 1_000_000 };
  return { ...kept, customers: 25_000, ...figures, conditions };
}

const LIVE = result("live", {
  cpuMicrosPerEvent: { processor: 29, kafka: 3.5, all: 32.5 },
  peer: { cpuMicrosPerEvent: { program: 50, kafka: 20, all: 70 } },
});

describe("The documents of performance", () => {
  it("are what the kept results give; npm run docs:performance writes them anew", async () => {
    const files = await performanceDocs(newestResults(), ROOT);
    for (const [path, text] of files) expect(readFileSync(join(ROOT, path), "utf8"), path).toBe(text);
    const plots = [...files.keys()].filter((path) => path.startsWith(PLOTS_FOLDER));
    const folder = join(ROOT, PLOTS_FOLDER);
    const names = existsSync(folder) ? readdirSync(folder) : [];
    expect(names.map((name) => join(PLOTS_FOLDER, name)).sort()).toEqual(plots.sort());
  });

  it("have the figures of a new result, its plots, and the prose as it was", async () => {
    const replay = result("replay", { segments: { eventsPerSecond: 17_300, peakMiB: 2000 } });
    const files = await performanceDocs(new Map([["replay", replay]]), ROOT);
    const text = files.get("docs/performance.md") ?? "";
    expect(markedBlock(text, "results replay")).toContain("17 300 events/s");
    expect(markedBlock(text, "results replay")).toContain("](plots/replay.svg)");
    expect(files.get("docs/plots/replay.svg")).toContain("segments written");
    expect(markedBlock(text, "results memory")).toBe("");
    expect(text).toContain("## Hand-over and recovery");
  });

  it("name under what was measured", () => {
    const text = resultText(result("live", { eventsPerSecond: 54_400 }));
    expect(text).toBe(
      [
        "**A backlog through Kafka and Redis, exactly once.** events 1 000 000; customers 25 000; clientela 0.1.0 (2026-01-02); EPYC, 2 cores, 24 GiB; Node 24.21.0; load average 0.3 before.",
        "",
        "| what | figure |",
        "| --- | ---: |",
        "| rate | 54 400 events/s |",
      ].join("\n"),
    );
  });

  it("name the versions of the servers that took part", () => {
    const live = result("live", { eventsPerSecond: 1 });
    const conditions = { ...live.conditions, kafka: "4.3.1", redis: "8.0.2" };
    expect(resultText({ ...live, conditions })).toContain("; Node 24.21.0, kafka 4.3.1, redis 8.0.2; ");
  });

  it("name keys, numbers among them, in the words of people, and say what the figures don't", () => {
    const asConfigured = { eventsPerSecond: 40_000, busyShare: 0.9 };
    const text = resultText(result("growth-customers", { bySize: { 5000000: { asConfigured } } }));
    expect(text).toContain("load average 0.3 before. By a process that starts with nothing in memory");
    expect(text.split("\n").slice(2)).toEqual([
      "|  | rate | share of the cores that was busy |",
      "| --- | ---: | ---: |",
      "| 5 000 000, as configured | 40 000 events/s | 0.9 |",
    ]);
  });

  it("have a line a key where several figures have it, and a dash for what was not measured", () => {
    const recovery = { secondsToAssignment: 9.9, secondsToFirstChange: null };
    const text = resultText(result("recovery", { byAnother: recovery, bySame: { secondsToAssignment: 11 } }));
    expect(text.split("\n").slice(2)).toEqual([
      "|  | until the shards are assigned | until the first change |",
      "| --- | ---: | ---: |",
      "| another processor takes over | 9.9 s | – |",
      "| the same one is started again at once | 11 s |  |",
    ]);
  });
});

describe("A marked block", () => {
  it("is replaced, and replaced again, and the rest stays", () => {
    const text = "a\n\n<!-- x -->\n\nold $1\n\n<!-- /x -->\n\nb\n";
    expect(markedBlock(text, "x")).toBe("old $1");
    const changed = withMarkedBlock(text, "x", "new $&");
    expect(changed).toBe("a\n\n<!-- x -->\n\nnew $&\n\n<!-- /x -->\n\nb\n");
    expect(withMarkedBlock(withMarkedBlock(changed, "x", ""), "x", "old $1")).toBe(text);
  });

  it.each(["", "<!-- x -->", "<!-- /x --> <!-- x -->"])("must have its markers: not in %j", (text) => {
    expect(() => withMarkedBlock(text, "x", "y")).toThrow("there are no markers <!-- x --> and <!-- /x -->");
  });
});

describe("A plot", () => {
  it("is the same for the same result, names its axis with the unit and all its series", () => {
    const [plot] = plotsOf(LIVE);
    expect(plot?.file).toBe("cpu-by-process.svg");
    expect(plotsOf(LIVE)[0]?.svg).toBe(plot?.svg);
    for (const text of ["CPU, µs an event", "clientela", "peer", "processor", "kafka"]) {
      expect(plot?.svg).toContain(`>${text}</text>`);
    }
    expect(plot?.svg).not.toContain(">all</text>");
  });

  it("has bars as long as their figures", () => {
    const widths = [
      ...(plotsOf(LIVE)[0]?.svg ?? "").matchAll(/<rect [^>]*height="\d+" [^>]*width="([\d.]+)"/g),
    ]
      .map(([, width]) => Number(width))
      .filter((width) => width !== 12);
    expect(widths).toHaveLength(4);
    const [processor = 0, kafka = 0, program = 0] = widths;
    expect(processor / kafka).toBeCloseTo(29 / 3.5, 1);
    expect(program / processor).toBeCloseTo(50 / 29, 1);
  });

  it("is readable on a light and on a dark page", () => {
    const { svg = "" } = plotsOf(LIVE)[0] ?? {};
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).toContain('fill="currentColor"');
  });

  it("of latencies has their shares from left to right, whatever the figures", () => {
    const [plot] = plotsOf(
      result("latency", { latencyMs: { count: 9, p50: 20, p99: 80, p999: 90, max: 300 } }),
    );
    const shown = [...(plot?.svg ?? "").matchAll(/>(50 %|99 %|99\.9 %|all|9)<\/text>/g)].map(
      ([, text]) => text,
    );
    expect(shown).toEqual(["50 %", "99 %", "99.9 %", "all"]);
  });

  it("of growth has one line for each way it was set, and the sizes in their order", () => {
    const size = (eventsPerSecond: number): object => ({ asConfigured: { eventsPerSecond } });
    const growth = result("growth-customers", {
      bySize: { 100000: { ...size(30), eachLoaded: { eventsPerSecond: 20 } }, 10000: size(50) },
    });
    expect(plotsOf(growth).map(({ file }) => file)).toEqual(["growth-customers.svg"]);
    const shown = [...(plotsOf(growth)[0]?.svg ?? "").matchAll(/>([^<>]*(?:configured|anew|k))<\/text>/g)];
    expect(shown.map(([, text]) => text)).toEqual([
      "as configured",
      "each customer loaded anew",
      "10k",
      "100k",
    ]);
  });

  it("is not there when there is nothing to draw", () => {
    expect(plotsOf(result("live", { eventsPerSecond: 1 }))).toEqual([]);
    expect(plotsOf(result("memory", { bytesAt6Events: 1 }))).toEqual([]);
  });
});
