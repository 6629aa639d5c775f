import Table from "cli-table3";
import type { ComparedFigure, Comparison, Verdict } from "./comparison.ts";
import { KINDS, type Figure } from "./figures.ts";

const SAYS: Readonly<Record<Verdict, string>> = {
  better: "better",
  alike: "",
  worse: "WORSE",
  gone: "GONE",
  new: "new",
  incomparable: "not judged",
};

/** A comparison as a table for people, and what was not the same. Ends in a line break. */
export function comparisonText({ scenario, release, differences, figures }: Comparison): string {
  const table = new Table({
    head: [`${scenario}, against ${release}`, "unit", "then", "now", "now/then", "may be", ""],
    colAligns: ["left", "left", "right", "right", "right", "right", "left"],
    style: { head: [], border: [], compact: true },
  });
  for (const row of figures) table.push(cellsOf(row));
  const notes = differences.map((each) => `  not the same: ${each}\n`).join("");
  return `${table.toString()}\n${notes}`;
}

function cellsOf({ figure, key, kept, now, ratio, verdict }: ComparedFigure): string[] {
  return [
    titleOf(figure, key),
    figure.unit,
    kept === null ? "–" : numberText(kept),
    now === null ? "–" : numberText(now),
    ratio === null ? "" : ratio.toFixed(2),
    limitText(figure),
    SAYS[verdict],
  ];
}

function limitText({ kind, better }: Figure): string {
  const { tolerance, leastDifference } = KINDS[kind];
  if (leastDifference === Infinity) return "";
  return better === "higher" ? `≥ ${(1 - tolerance).toFixed(2)}` : `≤ ${(1 + tolerance).toFixed(2)}`;
}

/** A figure's title with its key, which stands before it where the title has no place for it. */
export function titleOf({ title }: Pick<Figure, "title">, key: string | null): string {
  if (key === null) return title;
  return title.includes("*") ? title.replace("*", key) : `${key}: ${title}`;
}

/** With as many digits as people read: three, all before the point, thousands apart. */
export function numberText(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const [whole = "", fraction] = value.toFixed(digits).split(".");
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, " ") : whole;
  const rest = fraction?.replace(/0+$/, "") ?? "";
  return rest === "" ? grouped : `${grouped}.${rest}`;
}
