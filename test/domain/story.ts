import { acceptEvent } from "../../src/domain/accept.ts";
import { newCustomer, type Customer } from "../../src/domain/customer.ts";
import type { CustomerEvent, FactTopic } from "../../src/domain/events.ts";
import { segmentAt } from "../../src/domain/explain.ts";
import { foldEvent } from "../../src/domain/fold.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";
import { testPolicy } from "../policy.ts";

export const DAY = 86_400_000;
const POLICY = testPolicy();

/** Noon of a day, counted from 1 January 2024. */
export function day(n: number): Instant {
  return instant(Date.UTC(2024, 0, 1, 12) + n * DAY);
}

let ids = 0;

/** An event of customer c1 as a business writes it, with a new id unless one is given. */
export function event(topic: FactTopic, occurredAt: Instant, fields: object): CustomerEvent {
  const eventId = `e${String(++ids).padStart(6, "0")}`;
  const decoded = acceptEvent(topic, { eventId, customerId: "c1", occurredAt, ...fields });
  if (decoded.kind !== "event") throw new Error(decoded.detail);
  return decoded.event;
}

export function order(orderId: string, at: Instant, fields: object = {}): CustomerEvent {
  return event("orders", at, { kind: "PLACED", orderId, amountMinor: 5000, ...fields });
}

export function paid(orderId: string, at: Instant): CustomerEvent {
  return event("orders", at, { kind: "PAID", orderId });
}

export function cancelled(orderId: string, at: Instant): CustomerEvent {
  return event("orders", at, { kind: "CANCELLED", orderId });
}

export function refunded(
  orderId: string,
  at: Instant,
  amountMinor: number,
  fields: object = {},
): CustomerEvent {
  return event("orders", at, { kind: "REFUNDED", orderId, refundId: "r1", amountMinor, ...fields });
}

export function inquiry(at: Instant, fields: object = {}): CustomerEvent {
  return event("inquiries", at, { inquiryId: `i${at}`, kind: "INFORMATION", ...fields });
}

export function survey(at: Instant, score: number, fields: object = {}): CustomerEvent {
  return event("surveys", at, { surveyId: `s${at}`, score, scaleMin: 0, ...fields });
}

export function recorded(at: Instant, attributes: Record<string, string | null>): CustomerEvent {
  return event("customers", at, { kind: "RECORDED", source: "crm", attributes });
}

export function given(events: readonly CustomerEvent[], policy: Policy = POLICY): Customer {
  const customer = newCustomer("c1");
  for (const each of events) foldEvent(customer, each, null, { policy, quiet: false, forget: true });
  return customer;
}

/** What is in force at an instant of which something is known. */
export function at(customer: Customer, when: number, policy: Policy = POLICY) {
  const segment = segmentAt(customer, instant(when), policy);
  if (segment === null) throw new Error("nothing is known of that time");
  return segment;
}
