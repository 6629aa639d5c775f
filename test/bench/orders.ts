import type { SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import { instant } from "../../src/shared/instant.ts";

/** The `i`-th plain order of a benchmark: paid for at once, of no category. Ids follow from `i`. */
export function orderOf(
  i: number,
  customerId: string,
  occurredAt: number,
): SimulatedEvent & { topic: "orders" } {
  return {
    topic: "orders",
    kind: "PLACED",
    eventId: `e${i}`,
    customerId,
    occurredAt: instant(Math.floor(occurredAt)),
    orderId: `o${i}`,
    revision: 0,
    amountMinor: 1_000 + (Math.imul(i, 2_654_435_761) >>> 20) * 7,
    currency: "EUR",
    costMinor: 0,
    units: 1,
    categories: [],
    dueAt: null,
    referredBy: null,
  };
}
