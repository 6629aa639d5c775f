import type { SimulatedEvent } from "./simulate.ts";
import { DAY_MS, instant, type Instant } from "../../shared/instant.ts";
import { CATALOGUE } from "./persona.ts";
import { Random } from "./random.ts";

export interface BenchOptions {
  readonly seed: number;
  /** 1 … 9 000 000: ids have seven characters. */
  readonly customers: number;
  readonly events: number;
  readonly startAt: Instant;
  /** Years of 365 days over which the events are spread evenly. */
  readonly years: number;
}

/** Share of each kind of event, summed up: 85 % orders, 6 % what becomes of them, 6 % inquiries, 2 % surveys, 1 % register. */
const ORDERS = 0.85;
const CLOSINGS = 0.91;
const INQUIRIES = 0.97;
const SURVEYS = 0.99;
const FIRST_CUSTOMER = 100_000;
/** Payments, cancellations and refunds are of one of the last so many orders. A power of two. */
const RECENT_ORDERS = 65_536;

const BASKETS: readonly (readonly string[])[] = CATALOGUE.map((first, i) =>
  i % 2 === 0 ? [first] : [first, CATALOGUE[(i + 3) % CATALOGUE.length] ?? first],
);
const KINDS = ["INFORMATION", "QUOTE", "VISIT", "SUPPORT", "COMPLAINT"] as const;
const MODELS = ["B2C", "B2C", "B2C", "B2B"] as const;

/**
 * Plain facts in bulk, for measuring: evenly spread over time and customers, in time order, deterministic. Cheap: 2.5 M events a
 * second on one core (test/app/simulation/bench-events.test.ts holds it above 1 M). Memory is constant.
 */
export function* benchEvents({
  seed,
  customers,
  events,
  startAt,
  years,
}: BenchOptions): Generator<SimulatedEvent> {
  const random = new Random(seed);
  const stepMs = (years * 365 * DAY_MS) / events;
  const recentCustomers = new Int32Array(RECENT_ORDERS);
  const recentOrders = new Int32Array(RECENT_ORDERS);
  let orders = 0;
  for (let i = 0; i < events; i++) {
    const occurredAt = instant(startAt + Math.floor(i * stepMs));
    const eventId = `e${i}`;
    const draw = random.fraction();
    const customer = FIRST_CUSTOMER + random.below(customers);
    const bits = random.bits();
    if (draw < ORDERS || (draw < CLOSINGS && orders === 0)) {
      const slot = orders % RECENT_ORDERS;
      recentCustomers[slot] = customer;
      recentOrders[slot] = orders;
      const amountMinor = 1_000 + (bits % 20_000);
      yield {
        topic: "orders",
        kind: "PLACED",
        eventId,
        customerId: `c${customer}`,
        occurredAt,
        orderId: `o${orders++}`,
        revision: 0,
        amountMinor,
        currency: "EUR",
        costMinor: amountMinor >> 1,
        units: 1 + (bits & 3),
        categories: BASKETS[(bits >>> 8) & 7] ?? [],
        dueAt: null,
        referredBy: null,
      };
    } else if (draw < CLOSINGS) {
      const slot = bits % Math.min(orders, RECENT_ORDERS);
      const customerId = `c${recentCustomers[slot] ?? FIRST_CUSTOMER}`;
      const orderId = `o${recentOrders[slot] ?? 0}`;
      yield closing(eventId, customerId, occurredAt, orderId, (bits >>> 20) % 6);
    } else if (draw < INQUIRIES) {
      yield {
        topic: "inquiries",
        eventId,
        customerId: `c${customer}`,
        occurredAt,
        inquiryId: `i${i}`,
        kind: KINDS[bits % 5] ?? "INFORMATION",
        revision: 0,
        handlingCostMinor: bits % 1_500,
        currency: "EUR",
      };
    } else if (draw < SURVEYS) {
      yield {
        topic: "surveys",
        eventId,
        customerId: `c${customer}`,
        occurredAt,
        surveyId: `s${i}`,
        score: bits % 11,
        scaleMin: 0,
        scaleMax: 10,
        revision: 0,
      };
    } else {
      yield {
        topic: "customers",
        kind: "RECORDED",
        eventId,
        customerId: `c${customer}`,
        occurredAt,
        source: "crm",
        attributes: { model: MODELS[bits & 3] ?? "B2C" },
      };
    }
  }
}

/** Half are payments, a sixth each cancellations, and two sixths partial refunds. */
function closing(
  eventId: string,
  customerId: string,
  occurredAt: Instant,
  orderId: string,
  sixth: number,
): SimulatedEvent {
  const base = { topic: "orders", eventId, customerId, occurredAt, orderId, revision: 0 } as const;
  if (sixth < 3) return { ...base, kind: "PAID" };
  if (sixth === 3) return { ...base, kind: "CANCELLED" };
  return { ...base, kind: "REFUNDED", refundId: eventId, amountMinor: 500 };
}
