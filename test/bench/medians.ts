import { median } from "./conditions.ts";

/**
 * One object of the same shape for all runs: each number is the median of theirs, to the digits they have; what is no number is
 * the first run's.
 */
export function medians<T>(runs: readonly T[]): T {
  const [first] = runs;
  if (typeof first === "number") {
    const values = runs as readonly number[];
    const digits = Math.max(...values.map((value) => /\.(\d+)$/.exec(String(value))?.[1]?.length ?? 0));
    return Number(median(values).toFixed(Math.min(digits, 3))) as T;
  }
  if (typeof first !== "object" || first === null || Array.isArray(first)) return first as T;
  const keys = Object.keys(first) as (keyof T)[];
  return Object.fromEntries(keys.map((key) => [key, medians(runs.map((run) => run[key]))])) as T;
}

/** What part `one` is of `other`, to two digits. */
export function ratio(one: number, other: number): number {
  return Math.round((100 * one) / other) / 100;
}
