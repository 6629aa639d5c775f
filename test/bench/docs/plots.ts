import type { KeptResult } from "../kept-results.ts";
import { GROWTH_MODES } from "../figures.ts";
import { valuesAt } from "../found-figures.ts";
import { lines, stackedBars, type Drawing, type Point } from "./svg.ts";

interface DeclaredPlot extends Omit<Drawing, "points"> {
  /** Name of the file, without its ending. */
  readonly file: string;
  readonly scenario: string;
  readonly draw: (drawing: Drawing) => string;
  /** Empty when the result does not have what is drawn. */
  readonly points: (result: KeptResult) => Point[];
}

const growing = (scenario: string, title: string): DeclaredPlot => ({
  file: scenario,
  scenario,
  title: `Rate by ${title}`,
  x: title,
  y: "events/s",
  draw: (drawing) => lines(drawing, { logarithmic: true }),
  points: (result) =>
    valuesAt(result, "bySize.*.*.eventsPerSecond")
      .map(({ keys: [size, mode = ""], value }) => ({
        series: GROWTH_MODES[mode] ?? mode,
        x: Number(size),
        y: value,
      }))
      .sort((a, b) => a.x - b.x),
});

const QUANTILES: Readonly<Record<string, string>> = { p50: "50 %", p99: "99 %", p999: "99.9 %", max: "all" };

/** Every plot of the documents: one is there as soon as its scenario's result is kept. */
const PLOTS: readonly DeclaredPlot[] = [
  {
    file: "cpu-by-process",
    scenario: "live",
    title: "CPU an event by process",
    x: "",
    y: "CPU, µs an event",
    draw: stackedBars,
    points: (result) => [
      ...byProcess(result, "clientela", "cpuMicrosPerEvent.*"),
      ...byProcess(result, "peer", "peer.cpuMicrosPerEvent.*"),
    ],
  },
  {
    file: "latency",
    scenario: "latency",
    title: "From when an event was due until a subscriber has its change",
    x: "share of the changes",
    y: "latency, ms",
    draw: (drawing) => lines(drawing, { logarithmic: false }),
    points: (result) =>
      valuesAt(result, "latencyMs.*")
        .filter(({ keys: [name] }) => name !== "count")
        .map(({ keys: [name = ""], value }) => ({ series: "latency", x: QUANTILES[name] ?? name, y: value })),
  },
  growing("growth-customers", "customers"),
  growing("growth-partitions", "partitions"),
  growing("growth-years", "years of history"),
  {
    file: "replay",
    scenario: "replay",
    title: "Replay of an event file",
    x: "",
    y: "events/s",
    draw: stackedBars,
    points: (result) =>
      valuesAt(result, "*.eventsPerSecond").map(({ keys: [output = ""], value }) => ({
        series: "rate",
        x: `${output} written`,
        y: value,
      })),
  },
  {
    file: "profile",
    scenario: "profile",
    title: "CPU an event by part of the program",
    x: "",
    y: "CPU, µs an event",
    draw: stackedBars,
    points: (result) =>
      valuesAt(result, "areas.*.cpuMicros")
        .map(({ keys: [area = ""], value }) => ({ series: "CPU", x: area, y: value }))
        .sort((a, b) => b.y - a.y),
  },
];

/** A peer is one program: what is a processor here. */
const PARTS: Readonly<Record<string, string>> = { program: "processor" };

function byProcess(result: KeptResult, bar: string, pattern: string): Point[] {
  return valuesAt(result, pattern)
    .filter(({ keys: [process] }) => process !== "all")
    .map(({ keys: [process = ""], value }) => ({ series: PARTS[process] ?? process, x: bar, y: value }));
}

export interface DrawnPlot {
  readonly file: string;
  readonly title: string;
  readonly svg: string;
}

/** The plots of a result that there is something for. */
export function plotsOf(result: KeptResult): DrawnPlot[] {
  return PLOTS.filter(({ scenario }) => scenario === result.scenario).flatMap(
    ({ file, title, x, y, draw, points }) => {
      const found = points(result);
      if (found.length === 0) return [];
      return [{ file: `${file}.svg`, title, svg: draw({ title, x, y, points: found }) }];
    },
  );
}
