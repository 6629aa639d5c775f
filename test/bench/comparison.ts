import type { Conditions } from "./conditions.ts";
import { figuresOf, KINDS, type Figure } from "./figures.ts";
import { figuresIn, type FoundFigure } from "./found-figures.ts";
import type { KeptResult, ResultLine } from "./kept-results.ts";

/**
 * `gone`: was kept and is not measured any more, which counts as worse. `incomparable`: measured on another machine or with other
 * sizes, so that it can be told but not judged.
 */
export type Verdict = "better" | "alike" | "worse" | "gone" | "new" | "incomparable";

export interface ComparedFigure {
  readonly path: string;
  readonly figure: Figure;
  readonly key: string | null;
  readonly kept: number | null;
  readonly now: number | null;
  /** Now against kept; null when one of them is missing. */
  readonly ratio: number | null;
  readonly verdict: Verdict;
}

export interface Comparison {
  readonly scenario: string;
  readonly release: string;
  /** What was not the same: for people. */
  readonly differences: readonly string[];
  readonly figures: readonly ComparedFigure[];
  readonly isWorse: boolean;
}

const MACHINE = ["cpu", "cores", "memoryGiB"] as const;

export function compareResults(kept: KeptResult, now: ResultLine): Comparison {
  const { scenario } = now;
  const { sizes, parts } = figuresOf(scenario);
  const isOther = (option: string): boolean => JSON.stringify(kept[option]) !== JSON.stringify(now[option]);
  const otherSizes = sizes.filter(isOther);
  const otherParts = parts !== undefined && isOther(parts) ? [parts] : [];
  const otherMachine = MACHINE.filter((each) => kept.conditions[each] !== now.conditions[each]);
  const told = (name: string, before: unknown, after: unknown): string =>
    `${name}: ${String(before)} then, ${String(after)} now`;
  const [before, after] = [conditionsOf(kept), conditionsOf(now)];
  const otherConditions = [...before.keys()].filter((name) => {
    if (name === "loadBefore") return isBusier(now.conditions, kept.conditions);
    return name !== "loadAfter" && after.has(name) && before.get(name) !== after.get(name);
  });
  const differences = [
    ...otherConditions.map((name) => told(name, before.get(name), after.get(name))),
    ...[...otherSizes, ...otherParts].map((size) => told(size, kept[size], now[size])),
  ];
  const isSame = otherParts.length === 0;
  const isComparable = ({ kind }: Figure): boolean =>
    isSame &&
    (kind === "ratio" || (otherSizes.length === 0 && (otherMachine.length === 0 || !KINDS[kind].ofMachine)));

  const figuresBefore = new Map(figuresIn(scenario, kept).map((each) => [each.path, each]));
  const figures: ComparedFigure[] = figuresIn(scenario, now).map((found) => {
    const was = figuresBefore.get(found.path)?.value ?? null;
    figuresBefore.delete(found.path);
    // Whether something is there at all does not depend on the machine.
    return compared(found, was, found.value, found.value === null ? isSame : isComparable(found.figure));
  });
  for (const found of figuresBefore.values()) {
    if (found.value !== null) figures.push(compared(found, found.value, null, isSame));
  }
  return {
    scenario,
    release: kept.release,
    differences,
    figures,
    isWorse: figures.some(({ verdict }) => verdict === "worse" || verdict === "gone"),
  };
}

function compared(
  { path, figure, key }: FoundFigure,
  kept: number | null,
  now: number | null,
  isComparable: boolean,
): ComparedFigure {
  const ratio = kept === null || now === null ? null : now === kept ? 1 : now / kept;
  const verdict = (): Verdict => {
    if (kept === null) return now === null ? "alike" : "new";
    if (!isComparable) return "incomparable";
    return now === null ? "gone" : judged(figure, kept, now);
  };
  return { path, figure, key, kept, now, ratio, verdict: verdict() };
}

/** Worse by more than the tolerance of its kind, better by more, or neither. */
export function judged({ kind, better }: Figure, kept: number, now: number): Verdict {
  const { tolerance, leastDifference } = KINDS[kind];
  const gain = better === "higher" ? now - kept : kept - now;
  if (Math.abs(gain) <= Math.max(leastDifference, tolerance * Math.abs(kept))) return "alike";
  return gain > 0 ? "better" : "worse";
}

function conditionsOf({ conditions }: ResultLine): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>(Object.entries(conditions));
}

/** Somebody else was at work, on more than half a core more than then. */
function isBusier(now: Conditions, kept: Conditions): boolean {
  return now.loadBefore > kept.loadBefore + 0.5;
}
