import type { PolicyFile } from "../../src/domain/policy-file-format.ts";

/** ISO 4217 of the currencies that the laws use. */
const DIGITS: Readonly<Record<string, number>> = { EUR: 2, USD: 2, JPY: 0, KWD: 3 };

/** S1, I4: an amount by the quoted rate of its day, in minor units of the base currency, half away from zero. */
export function referenceBase(
  file: PolicyFile,
  amountMinor: number,
  currency: string | null,
  at: number,
): number {
  const base = file.baseCurrency ?? "EUR";
  if (currency === null || currency === base) return amountMinor;
  const quotes = (file.rates?.[currency] ?? []).filter(({ from }) => Date.parse(from) <= at);
  quotes.sort((a, b) => Date.parse(b.from) - Date.parse(a.from));
  // Rates of the laws have at most six decimals, so that millionths are whole.
  const millionths = BigInt(Math.round(quotes[0]!.rate * 1e6));
  const digits = DIGITS[base]! - DIGITS[currency]!;
  const numerator = BigInt(amountMinor) * millionths * 10n ** BigInt(Math.max(0, digits));
  const denominator = 1_000_000n * 10n ** BigInt(Math.max(0, -digits));
  const whole = numerator / denominator;
  return Number(2n * (numerator % denominator) >= denominator ? whole + 1n : whole);
}
