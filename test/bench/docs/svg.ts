import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { numberText } from "../comparison-text.ts";

export interface Point {
  /** What it is compared by: its colour. */
  readonly series: string;
  /** The bar it belongs to, or where it stands on the axis. */
  readonly x: string | number;
  readonly y: number;
}

export interface Drawing {
  /** For those who do not see it. */
  readonly title: string;
  /** Names of the axes, with their units. */
  readonly x: string;
  readonly y: string;
  readonly points: readonly Point[];
}

const WIDTH = 640;
const LEGEND_HEIGHT = 24;
/** Told apart by people who do not tell red from green, on white as on black. */
const COLOURS = [
  "#6f93e8",
  "#efb118",
  "#ff725c",
  "#6cc5b0",
  "#3ca951",
  "#ff8ab7",
  "#a463f2",
  "#97bbf5",
  "#9c6b4e",
  "#9498a0",
];
/** An image follows the reader's theme, not the page's. */
const THEME = "svg { color: #1f2328 } @media (prefers-color-scheme: dark) { svg { color: #e6edf3 } }";

/** The library's types want a browser's, which this project does not have. */
type Options = Readonly<Record<string, unknown>>;
const plot = Plot.plot as unknown as (options: Options) => { readonly outerHTML: string };
const { document } = parseHTML("<html></html>") as unknown as { readonly document: object };

/** Bars that lie, the series of each one after the other. */
export function stackedBars({ points, ...drawing }: Drawing): string {
  const bars = new Set(points.map(({ x }) => x));
  const longest = Math.max(...[...bars].map((bar) => String(bar).length));
  return svgOf(
    { points, ...drawing },
    {
      height: 60 + (hasLegend(points) ? LEGEND_HEIGHT : 0) + 28 * bars.size,
      marginLeft: 20 + 7 * longest,
      marginBottom: 36,
      x: { label: drawing.y, grid: true, labelAnchor: "center", labelArrow: "none", tickFormat: numberText },
      y: { label: null, domain: [...bars] },
      marks: [
        Plot.barX(points, { x: "y", y: "x", fill: "series" }),
        Plot.text(points, Plot.stackX({ x: "y", y: "x", z: "series", text: inBar(points), fill: "black" })),
        Plot.ruleX([0]),
      ],
    },
  );
}

/** A figure is written into its part of the bar where there is room. */
function inBar(points: readonly Point[]): (point: Point) => string {
  const sums = new Map<string | number, number>();
  for (const { x, y } of points) sums.set(x, (sums.get(x) ?? 0) + y);
  const longest = Math.max(...sums.values());
  return ({ y }) => (y < longest / 20 ? "" : numberText(y));
}

/** A line a series; `logarithmic` where sizes grow by factors. */
export function lines(drawing: Drawing, { logarithmic }: { readonly logarithmic: boolean }): string {
  const { points } = drawing;
  const places = [...new Set(points.map(({ x }) => x))];
  const isNumeric = places.every((place) => typeof place === "number");
  return svgOf(drawing, {
    height: 300,
    marginLeft: 64,
    marginBottom: 40,
    x: {
      label: drawing.x,
      labelAnchor: "center",
      labelArrow: "none",
      ...(isNumeric
        ? { type: logarithmic ? "log" : "linear", ticks: places, tickFormat: "~s" }
        : { type: "point", domain: places }),
    },
    y: { label: drawing.y, grid: true, zero: true, nice: true, labelArrow: "none", tickFormat: numberText },
    marks: [Plot.lineY(points, { x: "x", y: "y", stroke: "series", marker: "circle" }), Plot.ruleY([0])],
  });
}

function svgOf({ title, points }: Drawing, options: Options): string {
  const series = [...new Set(points.map((point) => point.series))];
  if (series.length > COLOURS.length) throw new Error(`${title}: there are more series than colours`);
  const range = COLOURS.slice(0, series.length);
  const drawn = plot({
    document,
    width: WIDTH,
    marginTop: hasLegend(points) ? LEGEND_HEIGHT + 20 : 20,
    ariaLabel: title,
    style: { fontSize: "12px" },
    color: { domain: series, range },
    ...options,
  }).outerHTML;
  const svg = drawn
    .replace("<svg ", `<svg xmlns="http://www.w3.org/2000/svg" role="img" `)
    .replace("<style>", `<style>${THEME}\n`)
    .replace("</style>", `</style>${hasLegend(points) ? legend(series) : ""}`)
    // Of ten digits after the point nobody sees more than two.
    .replace(/\d+\.\d{3,}/g, (digits) => String(Math.round(Number(digits) * 100) / 100));
  return `${svg}\n`;
}

function hasLegend(points: readonly Point[]): boolean {
  return new Set(points.map((point) => point.series)).size > 1;
}

function legend(series: readonly string[]): string {
  // Right of the name of the vertical axis.
  let at = 110;
  const entries = series.map((name, i) => {
    const entry = `<rect x="${at}" y="6" width="12" height="12" fill="${COLOURS[i] ?? ""}" /><text x="${at + 17}" y="16" text-anchor="start">${escaped(name)}</text>`;
    at += 34 + name.length * 7;
    return entry;
  });
  return `<g>${entries.join("")}</g>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
