import { instant, type Instant } from "../shared/instant.ts";
import { compareUtf8 } from "../shared/utf8-order.ts";
import type { ShardClock } from "./ports.ts";

/** Stands after every customer id: the clock has applied all deadlines of its instant. */
export const LAST_CUSTOMER = "\u{10ffff}";

/** The clock at which every deadline up to and including `at` has been applied. */
export function endOf(at: Instant): ShardClock {
  return { at, customerId: LAST_CUSTOMER };
}

/** Order of A4: by instant, then by the customer's UTF-8 bytes; null is before everything. */
export function compareClocks(a: ShardClock | null, b: ShardClock | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  if (a.at !== b.at) return a.at - b.at;
  return a.customerId === b.customerId ? 0 : compareUtf8(a.customerId, b.customerId);
}

export function laterClock(a: ShardClock | null, b: ShardClock | null): ShardClock | null {
  return compareClocks(a, b) >= 0 ? a : b;
}

/** Up to which instant one customer's deadlines count as applied; null: none do. */
export function throughFor(clock: ShardClock | null, customerId: string): Instant | null {
  if (clock === null) return null;
  if (clock.customerId === LAST_CUSTOMER || compareUtf8(customerId, clock.customerId) <= 0) return clock.at;
  return instant(clock.at - 1);
}
