import { numberText, titleOf } from "../comparison-text.ts";
import { figuresOf } from "../figures.ts";
import { figuresIn, type FoundFigure } from "../found-figures.ts";
import type { KeptResult } from "../kept-results.ts";

/** A result as people read it, in Markdown: under what it was measured, images of it, and its figures. */
export function resultText(result: KeptResult, images: readonly string[] = []): string {
  const { note = "" } = figuresOf(result.scenario);
  return [`${headText(result)} ${note}`.trim(), ...images, ...resultTables(result)].join("\n\n");
}

/** Whose versions are told where they took part. */
const SERVERS = ["kafka", "redis"];

function headText(result: KeptResult): string {
  const { scenario, release, date, commit, conditions } = result;
  const { title, sizes } = figuresOf(scenario);
  const { cpu, cores, memoryGiB, node, loadBefore } = conditions;
  const told = new Map<string, unknown>(Object.entries(conditions));
  const servers = SERVERS.filter((server) => told.has(server)).map(
    (server) => `${server} ${String(told.get(server))}`,
  );
  const given = sizes.flatMap((size) => {
    const value = result[size];
    return typeof value === "number" ? [`${size} ${numberText(value)}`] : [];
  });
  const source = commit === null ? date : `${date}, ${commit}`;
  const measured = [
    ...given,
    `clientela ${release} (${source})`,
    `${cpu}, ${cores} cores, ${memoryGiB} GiB`,
    [`Node ${node}`, ...servers].join(", "),
    `load average ${loadBefore} before`,
  ];
  return `**${title}.** ${measured.join("; ")}.`;
}

function resultTables(result: KeptResult): string[] {
  const { names = {} } = figuresOf(result.scenario);
  const found = figuresIn(result.scenario, result).map((each): FoundFigure => ({
    ...each,
    key: each.key === null ? null : keyText(each.key, names),
  }));
  const plain = found.filter(({ key, figure }) => key === null || figure.title.includes("*"));
  const keyed = found.filter((each) => !plain.includes(each));
  const tables: string[] = [];
  if (plain.length > 0) tables.push(figureTable(plain));
  if (keyed.length > 0) tables.push(keyTable(keyed));
  for (const { path, title, unit } of figuresOf(result.scenario).lists ?? []) {
    const rows = Object.entries(result[path] as Readonly<Record<string, number>>);
    tables.push(
      markdownTable(
        [title, "figure"],
        rows.map(([name, value]) => [`\`${name}\``, figureText(value, unit)]),
      ),
    );
  }
  return tables;
}

/** Keys in the words of people, numbers among them as such. */
function keyText(key: string, names: Readonly<Record<string, string>>): string {
  const one = (part: string): string => names[part] ?? (/^\d+$/.test(part) ? numberText(Number(part)) : part);
  return key.split(", ").map(one).join(", ");
}

/** A line a figure. */
function figureTable(found: readonly FoundFigure[]): string {
  const rows = found.map(({ figure, key, value }) => [titleOf(figure, key), figureText(value, figure.unit)]);
  return markdownTable(["what", "figure"], rows);
}

/** A line a key, a column a figure. */
function keyTable(found: readonly FoundFigure[]): string {
  const keys = [...new Set(found.map(({ key }) => key ?? ""))];
  const figures = [...new Set(found.map(({ figure }) => figure))];
  const rows = keys.map((key) => [
    key,
    ...figures.map((figure) => {
      const cell = found.find((each) => each.key === key && each.figure === figure);
      return cell === undefined ? "" : figureText(cell.value, figure.unit);
    }),
  ]);
  return markdownTable(["", ...figures.map(({ title }) => title)], rows);
}

function figureText(value: number | null, unit: string): string {
  return value === null ? "–" : `${numberText(value)} ${unit}`.trim();
}

/** The first column is text, the others are figures. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}
