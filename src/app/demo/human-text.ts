import { DAY_MS, type Instant } from "../../shared/instant.ts";

const formats = new Map<string, Intl.NumberFormat>();

/** Money for people: €1,234.50. `minor`: minor units of the currency. */
export function moneyText(minor: number, currency: string): string {
  let format = formats.get(currency);
  if (format === undefined) {
    format = new Intl.NumberFormat("en-US", { style: "currency", currency });
    formats.set(currency, format);
  }
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(minor / 10 ** digits);
}

/** The day of an instant, UTC: 2024-03-12. */
export function dateText(at: Instant | number): string {
  return new Date(at).toISOString().slice(0, 10);
}

const MONTHS = new Intl.DateTimeFormat("en-US", { month: "long", timeZone: "UTC" });

/** The month of an instant, UTC: March 2024. */
export function monthText(at: number): string {
  return `${monthName(at)} ${new Date(at).getUTCFullYear()}`;
}

export function monthName(at: number): string {
  return MONTHS.format(at);
}

/** Whole days between two instants, rounded down. */
export function daysBetween(from: number, to: number): number {
  return Math.floor((to - from) / DAY_MS);
}

/** 1 day, 2 days. */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}

/** A first capital letter, for a sentence. */
export function sentenceText(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
