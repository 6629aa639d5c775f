import { median } from "./conditions.ts";
import { figuresOf, type Figure } from "./figures.ts";

/** In every line. */
const ALWAYS_TOLD = [
  "scenario",
  "release",
  "date",
  "commit",
  "conditions",
  "events",
  "customers",
  "runs",
  "instances",
  "rate",
  "seconds",
  "warm",
  "sizes",
  "against",
];

/** A result's values by path; of a list of numbers the median. */
export function valuesOf(result: unknown): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  const visit = (path: string, value: unknown): void => {
    if (Array.isArray(value)) {
      const lists = new Map<string, unknown[]>();
      for (const each of value) {
        for (const [inner, one] of valuesOf(each)) lists.set(inner, [...(lists.get(inner) ?? []), one]);
      }
      for (const [inner, list] of lists) {
        const numbers = list.filter((one) => typeof one === "number");
        values.set(joined(`${path}[]`, inner), numbers.length === list.length ? median(numbers) : list);
      }
    } else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) visit(joined(path, key), inner);
    } else values.set(path, value);
  };
  visit("", result);
  return values;
}

const joined = (path: string, key: string): string =>
  path === "" || key === "" ? path + key : `${path}.${key}`;

export interface FoundFigure {
  readonly path: string;
  readonly figure: Figure;
  /** What stands where the figure's path has its stars, with commas between; null when it has none. */
  readonly key: string | null;
  /** Null: not measured, such as the quantile of nothing. */
  readonly value: number | null;
}

/** The figures of a result in the order of their declaration. Throws when it holds a path that is not declared. */
export function figuresIn(scenario: string, result: unknown): FoundFigure[] {
  const { figures, told, lists = [] } = figuresOf(scenario);
  const besides = [...ALWAYS_TOLD, ...told, ...lists.map(({ path }) => path)];
  const found: FoundFigure[] = [];
  const undeclared: string[] = [];
  for (const [path, value] of valuesOf(result)) {
    const figure = figures.find((each) => matches(each.path, path));
    if (figure !== undefined && (typeof value === "number" || value === null)) {
      found.push({ path, figure, key: keysOf(figure.path, path).join(", ") || null, value });
    } else if (!besides.some((prefix) => matches(prefix, path, "below"))) {
      undeclared.push(path);
    }
  }
  if (undeclared.length > 0) {
    throw new Error(`figures.ts does not declare of ${scenario}: ${undeclared.join(", ")}`);
  }
  return found.sort((a, b) => figures.indexOf(a.figure) - figures.indexOf(b.figure));
}

/** The numbers whose path is as the pattern says, with what stands for each of its stars. */
export function valuesAt(
  result: unknown,
  pattern: string,
): { readonly keys: readonly string[]; readonly value: number }[] {
  return [...valuesOf(result)].flatMap(([path, value]) =>
    typeof value === "number" && matches(pattern, path) ? [{ keys: keysOf(pattern, path), value }] : [],
  );
}

function matches(pattern: string, path: string, reach: "exactly" | "below" = "exactly"): boolean {
  const wanted = segmentsOf(pattern);
  const given = segmentsOf(path);
  if (reach === "exactly" ? given.length !== wanted.length : given.length < wanted.length) return false;
  return wanted.every((segment, i) => segment === "*" || segment === given[i]);
}

function keysOf(pattern: string, path: string): string[] {
  const wanted = segmentsOf(pattern);
  return segmentsOf(path).filter((_, i) => wanted[i] === "*");
}

/** `a.*[].b` is `a`, `*`, `[]`, `b`. */
function segmentsOf(path: string): string[] {
  return path.replaceAll("[]", ".[]").split(".");
}
