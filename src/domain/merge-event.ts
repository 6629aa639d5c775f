import type { Customer } from "./customer.ts";
import type { InquiryFact, OrderFact, RegisterRecord, SurveyFact } from "./customer-state.ts";
import type { CustomerRecorded, Inquiry, OrderClosed, OrderPlaced, OrderRefunded, Survey } from "./events.ts";
import { addVersion, type Placement } from "./versions.ts";

/** The facts an event can be: those that merge by identity (S2.1), without erasures and referrals. */
export type FactEvent = OrderPlaced | OrderClosed | OrderRefunded | Inquiry | Survey | CustomerRecorded;

/** The fact an event became part of, for the fold to look at again. */
export type Merged =
  | { readonly placement: "added"; readonly fact: OrderFact; readonly of: "orders" }
  | { readonly placement: "added"; readonly fact: InquiryFact; readonly of: "inquiries" }
  | { readonly placement: "added"; readonly fact: SurveyFact; readonly of: "surveys" }
  | { readonly placement: "added"; readonly fact: RegisterRecord; readonly of: "customers" }
  | { readonly placement: "duplicate" | "superseded" };

/** Merges an event into the customer's facts. */
export function mergeEvent(customer: Customer, event: FactEvent): Merged {
  switch (event.topic) {
    case "orders":
      return mergeOrder(customer, event);
    case "inquiries": {
      const { inquiries } = customer.state;
      const known = inquiries.find(({ inquiryId }) => inquiryId === event.inquiryId);
      const fact = known ?? { inquiryId: event.inquiryId, versions: [] };
      const { occurredAt: at, revision, eventId, kind, handlingCostMinor, currency } = event;
      const placement = addVersion(fact.versions, {
        at,
        revision,
        eventId,
        kind,
        handlingCostMinor,
        currency,
      });
      if (placement !== "added") return { placement };
      if (known === undefined) inquiries.push(fact);
      return { placement, fact, of: "inquiries" };
    }
    case "surveys": {
      const { surveys } = customer.state;
      const known = surveys.find(({ surveyId }) => surveyId === event.surveyId);
      const fact = known ?? { surveyId: event.surveyId, versions: [] };
      const { occurredAt: at, revision, eventId, score } = event;
      const placement = addVersion(fact.versions, { at, revision, eventId, score });
      if (placement !== "added") return { placement };
      if (known === undefined) surveys.push(fact);
      return { placement, fact, of: "surveys" };
    }
    case "customers":
      return mergeRecord(customer, event);
  }
}

function mergeOrder(customer: Customer, event: OrderPlaced | OrderClosed | OrderRefunded): Merged {
  const known = customer.order(event.orderId);
  const tailPage = customer.state.tailPage;
  const fact = known ?? customer.addOrder(event.orderId);
  const placement = placeOrder(fact, event);
  if (placement !== "added") return { placement };
  if (known !== undefined && fact.page < tailPage) customer.markChanged(fact.page);
  return { placement, fact, of: "orders" };
}

function placeOrder(order: OrderFact, event: OrderPlaced | OrderClosed | OrderRefunded): Placement {
  const { occurredAt: at, revision, eventId } = event;
  switch (event.kind) {
    case "PLACED": {
      const { amountMinor, currency, costMinor, units, categories, dueAt, referredBy } = event;
      return addVersion(order.versions, {
        at,
        revision,
        eventId,
        amountMinor,
        currency,
        costMinor,
        units,
        categories,
        dueAt,
        referredBy,
      });
    }
    case "PAID":
    case "CANCELLED": {
      const known = event.kind === "PAID" ? order.paid : order.cancelled;
      if (known !== null) {
        if (known.at === at && known.eventId === eventId) return "duplicate";
        if (known.at < at || (known.at === at && known.eventId < eventId)) return "superseded";
      }
      if (event.kind === "PAID") order.paid = { at, eventId };
      else order.cancelled = { at, eventId };
      return "added";
    }
    case "REFUNDED": {
      const known = order.refunds.find(({ refundId }) => refundId === event.refundId);
      const refund = known ?? { refundId: event.refundId, versions: [] };
      const placement = addVersion(refund.versions, {
        at,
        revision,
        eventId,
        amountMinor: event.amountMinor,
      });
      if (placement === "added" && known === undefined) order.refunds.push(refund);
      return placement;
    }
  }
}

/** Register events are kept whole: a later one may be removed from under them only by an erasure (S2.2). */
function mergeRecord(customer: Customer, event: CustomerRecorded): Merged {
  const { register } = customer.state;
  let index = register.length;
  while (index > 0) {
    const before = register[index - 1];
    if (before === undefined || before.at < event.occurredAt) break;
    if (before.at === event.occurredAt) {
      if (before.eventId === event.eventId) return { placement: "duplicate" };
      if (before.eventId < event.eventId) break;
    }
    index--;
  }
  const fact: RegisterRecord = {
    at: event.occurredAt,
    eventId: event.eventId,
    source: event.source,
    attributes: Object.entries(event.attributes).sort(([a], [b]) => (a < b ? -1 : 1)),
  };
  register.splice(index, 0, fact);
  return { placement: "added", fact, of: "customers" };
}
