import type { Brand } from "./brand.ts";

/** When something happened: integer milliseconds since the Unix epoch, UTC (S1). */
export type Instant = Brand<number, "Instant">;

/** One day of S1: exactly 86 400 000 ms, whatever the calendar does. */
export const DAY_MS = 86_400_000;

/** Takes a number of milliseconds as an instant. The caller has checked that it is an integer. */
export function instant(ms: number): Instant {
  return ms as Instant;
}

/** ISO 8601 UTC with milliseconds, as result files have it (I3). */
export function toIso(at: Instant): string {
  return new Date(at).toISOString();
}

const ISO_WITH_OFFSET = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/;

/** Reads an instant of I2: integer milliseconds, or ISO 8601 with an offset. `null` when it is neither. */
export function parseInstant(value: unknown): Instant | null {
  if (typeof value === "number") return Number.isSafeInteger(value) ? instant(value) : null;
  if (typeof value !== "string" || !ISO_WITH_OFFSET.test(value)) return null;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? null : instant(ms);
}
