import { median } from "./conditions.ts";

/**
 * One object of the same shape for all runs: each number is the median of theirs, to the digits they have; what is no number is
 * the first run's.
 */
export function medians<T>(runs: readonly T[]): T {
  const numbers = runs.filter((run) => typeof run === "number");
  if (numbers.length > 0) return medianOf(numbers) as T;
  const [first] = runs;
  if (typeof first !== "object" || first === null || Array.isArray(first)) return first as T;
  const keys = Object.keys(first) as (keyof T)[];
  return Object.fromEntries(keys.map((key) => [key, medians(runs.map((run) => run[key]))])) as T;
}

const GREATEST_DIGITS = 3;

function medianOf(values: readonly number[]): number {
  const digits = values.map((value) => /\.(\d+)$/.exec(String(value))?.[1]?.length ?? 0);
  return Number(median(values).toFixed(Math.min(Math.max(...digits), GREATEST_DIGITS)));
}

/** What part `one` is of `other`, to two digits. */
export function ratio(one: number, other: number): number {
  return Math.round((100 * one) / other) / 100;
}
