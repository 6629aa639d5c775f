import type {
  CustomerErased,
  CustomerRecorded,
  OrderClosed,
  OrderPlaced,
  Survey,
} from "../../src/domain/events.ts";
import { DAY_MS, instant, type Instant } from "../../src/shared/instant.ts";
import { START } from "./world.ts";

let nextId = 0;

/** So many days after START; fractions of a day too. */
export function day(days: number): Instant {
  return instant(START + Math.round(days * DAY_MS));
}

export function order(
  customerId: string,
  days: number,
  rest: Partial<Omit<OrderPlaced, "topic" | "kind">> = {},
): OrderPlaced {
  const id = nextId++;
  return {
    topic: "orders",
    kind: "PLACED",
    eventId: `e${id}`,
    customerId,
    occurredAt: day(days),
    orderId: `o${id}`,
    revision: 0,
    amountMinor: 10_000,
    currency: null,
    costMinor: 0,
    units: 1,
    categories: [],
    dueAt: null,
    referredBy: null,
    ...rest,
  };
}

export function cancel(placed: OrderPlaced, days: number): OrderClosed {
  const { customerId, orderId } = placed;
  return {
    topic: "orders",
    kind: "CANCELLED",
    eventId: `e${nextId++}`,
    customerId,
    occurredAt: day(days),
    orderId,
    revision: 0,
  };
}

export function survey(customerId: string, days: number, score: number): Survey {
  const id = nextId++;
  return {
    topic: "surveys",
    eventId: `e${id}`,
    customerId,
    occurredAt: day(days),
    surveyId: `s${id}`,
    score,
    scaleMin: 0,
    scaleMax: 10,
    revision: 0,
  };
}

export function recorded(
  customerId: string,
  days: number,
  attributes: Record<string, string>,
): CustomerRecorded {
  const eventId = `e${nextId++}`;
  return {
    topic: "customers",
    kind: "RECORDED",
    eventId,
    customerId,
    occurredAt: day(days),
    source: "crm",
    attributes,
  };
}

export function erased(customerId: string, days: number): CustomerErased {
  const eventId = `e${nextId++}`;
  return { topic: "customers", kind: "ERASED", eventId, customerId, occurredAt: day(days), source: "crm" };
}
