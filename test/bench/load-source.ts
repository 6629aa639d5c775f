import { benchEvents } from "../../src/app/simulation/bench-events.ts";
import type { SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { orderOf } from "./orders.ts";

/** What a steady load consists of. */
export type LoadSource =
  /**
   * Orders alone, so that a shard takes them in the order in which they were sent: the customers in turn, each order an hour of
   * event time after the customer's last. Of almost every one comes a change.
   */
  | { readonly kind: "orders"; readonly customers: number }
  /** The realistic mix, each event at the instant at which it is due. */
  | { readonly kind: "mix"; readonly customers: number; readonly seed: number };

const HOUR_MS = 3_600_000;
/** A load that goes on for longer has no events left. */
const LONGEST_MS = 6 * HOUR_MS;
const LIVE = "live-";

/** When the `i`-th event of a load is due, ms since the epoch. */
export function dueAt(begunAt: number, eventsPerSecond: number, i: number): number {
  return begunAt + Math.floor((i * 1000) / eventsPerSecond);
}

/** The events of a load that begins at `begunAt`, in the order in which they are due. */
export function loadEvents(
  source: LoadSource,
  begunAt: number,
  eventsPerSecond: number,
): Iterator<SimulatedEvent> {
  return source.kind === "orders"
    ? ordersInTurn(source.customers, begunAt)
    : liveMix(source, begunAt, eventsPerSecond);
}

function* ordersInTurn(customers: number, begunAt: number): Generator<SimulatedEvent> {
  // Past, so that no order is of the future whatever the rounds.
  const startAt = begunAt - 60 * DAY_MS;
  for (let i = 0; ; i++) {
    const round = Math.floor(i / customers);
    yield orderOf(i, `c${i % customers}`, startAt + round * HOUR_MS + (i % customers));
  }
}

function* liveMix(
  { customers, seed }: { readonly customers: number; readonly seed: number },
  begunAt: number,
  eventsPerSecond: number,
): Generator<SimulatedEvent> {
  const events = Math.floor((LONGEST_MS / 1000) * eventsPerSecond);
  const years = LONGEST_MS / (365 * DAY_MS);
  const mix = benchEvents({ seed, customers, events, startAt: instant(begunAt), years });
  let i = 0;
  for (const event of mix) {
    yield { ...renamed(event, `${LIVE}${seed}-`), occurredAt: instant(dueAt(begunAt, eventsPerSecond, i++)) };
  }
}

/** The number of the load's event that has this id; null: it is no event of this load. */
export function numberOf(eventId: string, seed: number): number | null {
  const prefix = `${LIVE}${seed}-e`;
  return eventId.startsWith(prefix) ? Number(eventId.slice(prefix.length)) : null;
}

/** The mix numbers its facts from zero: under a prefix they are none of the history's. */
function renamed(event: SimulatedEvent, prefix: string): SimulatedEvent {
  const eventId = prefix + event.eventId;
  switch (event.topic) {
    case "orders":
      return event.kind === "REFUNDED"
        ? { ...event, eventId, orderId: prefix + event.orderId, refundId: prefix + event.refundId }
        : { ...event, eventId, orderId: prefix + event.orderId };
    case "inquiries":
      return { ...event, eventId, inquiryId: prefix + event.inquiryId };
    case "surveys":
      return { ...event, eventId, surveyId: prefix + event.surveyId };
    case "customers":
      return { ...event, eventId };
  }
}
