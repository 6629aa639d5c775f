import { newCustomer, loadCustomer, type Customer } from "../../src/domain/customer.ts";
import type { OrderPlaced } from "../../src/domain/events.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { CODEC, END, fold, foldedCustomers, mixOf, POLICY, writeOf } from "./folded.ts";
import { median } from "./conditions.ts";

const ORDERS = 50_000;
const ORDINARY_EVENTS = 40;
const IN_ORDER = 2_000;
const OUT_OF_ORDER = 40;

/**
 * One customer with 50 000 orders in the horizon beside an ordinary one (A7): CPU of an event with the fold and what of the state
 * is encoded for it, in order, late, and as an amendment of an order in the middle; and of loading the state.
 */
export function benchHeavy(say: (text: string) => void): Promise<object> {
  const ordinary = [...foldedCustomers(mixOf(500, ORDINARY_EVENTS)).values()];
  const heavy = heavyCustomer();
  const { head, chunks } = writeOf(heavy);
  const stored = {
    head: head ?? new Uint8Array(),
    chunks: new Map(chunks.flatMap(([page, bytes]) => (bytes === null ? [] : [[page, bytes] as const]))),
  };
  say(`${heavy.state.orders.length} orders, ${heavy.state.tailPage} pages beside the head`);
  let now: number = END;
  const inOrder = (customers: readonly Customer[]): number =>
    microsOf(IN_ORDER, (step) => {
      const customer = customers[step % customers.length];
      if (customer === undefined) throw new Error("no customer to measure");
      return () => foldAndEncode(customer, placed(customer.state.customerId, (now += 60_000)));
    });
  // The first calls are of code that is not compiled yet.
  inOrder(ordinary);
  const ordinaryMicros = inOrder(ordinary);
  const heavyMicros = inOrder([heavy]);
  const late = microsOf(OUT_OF_ORDER, (step) => {
    const event = placed("heavy", END - 200 * DAY_MS - step * 1_000);
    return () => foldAndEncode(heavy, event);
  });
  const amended = microsOf(OUT_OF_ORDER, (step) => {
    const order = `o${ORDERS / 2 + step}`;
    const event = placed("heavy", placedAt(ORDERS / 2 + step), order, 1);
    return () => foldAndEncode(heavy, event);
  });
  const load = microsOf(10, () => () => void loadCustomer(CODEC.decode("heavy", stored), POLICY));
  return Promise.resolve({
    orders: ORDERS,
    inOrderMicros: heavyMicros,
    ordinaryInOrderMicros: ordinaryMicros,
    inOrderRatio: Math.round((100 * heavyMicros) / ordinaryMicros) / 100,
    lateMicros: late,
    amendmentMicros: amended,
    loadMicros: load,
  });
}

let placements = 0;

/** A plain order, or its next revision. */
function placed(
  customerId: string,
  occurredAt: number,
  orderId = `new-${placements}`,
  revision = 0,
): OrderPlaced {
  const n = placements++;
  return {
    topic: "orders",
    kind: "PLACED",
    eventId: `e${n}`,
    customerId,
    occurredAt: instant(occurredAt),
    orderId,
    revision,
    amountMinor: 1_000 + (n % 20_000),
    currency: "EUR",
    costMinor: 900,
    units: 1,
    categories: ["tea"],
    dueAt: null,
    referredBy: null,
  };
}

function placedAt(order: number): number {
  return END - 700 * DAY_MS + Math.floor((order * 690 * DAY_MS) / ORDERS);
}

function heavyCustomer(): Customer {
  const customer = newCustomer("heavy");
  for (let i = 0; i < ORDERS; i++) {
    fold(customer, placed("heavy", placedAt(i), `o${i}`));
  }
  return customer;
}

function foldAndEncode(customer: Customer, event: OrderPlaced): void {
  fold(customer, event);
  writeOf(customer);
}

/** Median of single calls, in microseconds. */
function microsOf(count: number, prepare: (step: number) => () => void): number {
  const micros: number[] = [];
  for (let step = 0; step < count; step++) {
    const work = prepare(step);
    const startedAt = performance.now();
    work();
    micros.push((performance.now() - startedAt) * 1000);
  }
  return Math.round(10 * median(micros)) / 10;
}
