import type { DatedRate, Policy } from "./policy.ts";

/**
 * Greatest amount of one fact, in minor units of the base currency. With it the sums of a customer with up to 9 000 such
 * orders in a year stay exact integers below 2⁵³.
 */
export const GREATEST_BASE_MINOR = 1e12;

/** An amount in the base currency by the rate of its day (S1), rounded half away from zero; null: no rate for that day. */
export function toBase(
  policy: Policy,
  amountMinor: number,
  currency: string | null,
  at: number,
): number | null {
  if (currency === null || currency === policy.baseCurrency) return amountMinor;
  const rates = policy.rates.get(currency);
  if (rates === undefined) return null;
  const rate = rateOn(rates, at);
  if (rate === undefined) return null;
  const doubled = 2n * BigInt(amountMinor) * rate.numerator;
  const magnitude = ((doubled < 0n ? -doubled : doubled) + rate.denominator) / (2n * rate.denominator);
  return Number(doubled < 0n ? -magnitude : magnitude);
}

/** The rate whose `from` is the latest that is not after the instant; a policy may have one for each day of many years. */
function rateOn(rates: readonly DatedRate[], at: number): DatedRate | undefined {
  let low = 0;
  let high = rates.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rates[middle]?.fromAt ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return rates[low - 1];
}
