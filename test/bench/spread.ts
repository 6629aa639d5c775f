/** Share `q` of the values are at most this; null when there are none. */
export function quantile(values: readonly number[], q: number): number | null {
  return quantileOfSorted(ascending(values), q);
}

/** Of a list of durations, how they spread; in their unit. */
export interface Spread {
  readonly count: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

export function spread(values: readonly number[]): Spread {
  const sorted = ascending(values);
  return {
    count: values.length,
    p50: quantileOfSorted(sorted, 0.5),
    p99: quantileOfSorted(sorted, 0.99),
    max: quantileOfSorted(sorted, 1),
  };
}

/** With the one in a thousand: it says something only of many thousands. */
export function longSpread(values: readonly number[]): Spread & { readonly p999: number | null } {
  const { max, ...rest } = spread(values);
  return { ...rest, p999: quantile(values, 0.999), max };
}

function ascending(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

function quantileOfSorted(sorted: Float64Array, q: number): number | null {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}
