import type { Customer } from "./customer.ts";
import {
  NONE,
  type Closing,
  type InquiryFact,
  type OrderFact,
  type RefundFact,
  type RegisterRecord,
  type SurveyFact,
} from "./customer-state.ts";
import type { CustomerRecorded, Inquiry, OrderClosed, OrderPlaced, OrderRefunded, Survey } from "./events.ts";
import { withVersion } from "./versions.ts";

/** The facts an event can be: those that merge by identity (S2.1), without erasures and referrals. */
export type FactEvent = OrderPlaced | OrderClosed | OrderRefunded | Inquiry | Survey | CustomerRecorded;

/** The fact an event became part of, for the fold to look at again. */
export type Merged =
  | { readonly fact: OrderFact; readonly of: "orders" }
  | { readonly fact: InquiryFact; readonly of: "inquiries" }
  | { readonly fact: SurveyFact; readonly of: "surveys" }
  | { readonly fact: RegisterRecord; readonly of: "customers" };

/** Merges an event into the customer's facts; null when this very event is there already. */
export function mergeEvent(customer: Customer, event: FactEvent): Merged | null {
  switch (event.topic) {
    case "orders":
      return mergeOrder(customer, event);
    case "inquiries": {
      const known = customer.inquiry(event.inquiryId);
      const fact: InquiryFact = known ?? { inquiryId: event.inquiryId, versions: NONE };
      const { occurredAt: at, revision, eventId, kind, handlingCostMinor, currency } = event;
      const added = { at, revision, eventId, kind, handlingCostMinor, currency };
      const versions = withVersion(fact.versions, added);
      if (versions === null) return null;
      fact.versions = versions;
      if (known === undefined) customer.addInquiry(fact);
      return { fact, of: "inquiries" };
    }
    case "surveys": {
      const known = customer.survey(event.surveyId);
      const fact: SurveyFact = known ?? { surveyId: event.surveyId, versions: NONE };
      const { occurredAt: at, revision, eventId, score } = event;
      const versions = withVersion(fact.versions, { at, revision, eventId, score });
      if (versions === null) return null;
      fact.versions = versions;
      if (known === undefined) customer.addSurvey(fact);
      return { fact, of: "surveys" };
    }
    case "customers":
      return mergeRecord(customer, event);
  }
}

function mergeOrder(customer: Customer, event: OrderPlaced | OrderClosed | OrderRefunded): Merged | null {
  const known = customer.order(event.orderId);
  const fact = known ?? customer.addOrder(event.orderId);
  if (!placeOrder(fact, event)) return null;
  if (known !== undefined || fact.page < customer.state.tailPage) customer.markChanged(fact.page);
  return { fact, of: "orders" };
}

/** False when this very event is there already. */
function placeOrder(order: OrderFact, event: OrderPlaced | OrderClosed | OrderRefunded): boolean {
  const { occurredAt: at, revision, eventId } = event;
  switch (event.kind) {
    case "PLACED": {
      const { amountMinor, currency, costMinor, units, categories, dueAt, referredBy } = event;
      const versions = withVersion(order.versions, {
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
      if (versions === null) return false;
      order.versions = versions;
      return true;
    }
    case "PAID": {
      const paid = withClosing(order.paid, { at, eventId });
      if (paid === null) return false;
      order.paid = paid;
      return true;
    }
    case "CANCELLED": {
      const cancelled = withClosing(order.cancelled, { at, eventId });
      if (cancelled === null) return false;
      order.cancelled = cancelled;
      return true;
    }
    case "REFUNDED": {
      const known = order.refunds.find(({ refundId }) => refundId === event.refundId);
      const refund: RefundFact = known ?? { refundId: event.refundId, versions: NONE };
      const versions = withVersion(refund.versions, {
        at,
        revision,
        eventId,
        amountMinor: event.amountMinor,
      });
      if (versions === null) return false;
      refund.versions = versions;
      if (known === undefined) order.refunds = [...order.refunds, refund];
      return true;
    }
  }
}

/** The list with the closing, ascending by (at, eventId); null when it is there already. */
function withClosing(closings: readonly Closing[], added: Closing): readonly Closing[] | null {
  if (closings.some(({ at, eventId }) => at === added.at && eventId === added.eventId)) return null;
  let index = closings.length;
  for (; index > 0; index--) {
    const before = closings[index - 1];
    if (
      before === undefined ||
      before.at < added.at ||
      (before.at === added.at && before.eventId < added.eventId)
    )
      break;
  }
  return closings.toSpliced(index, 0, added);
}

/** Register events are kept whole (S2.2). */
function mergeRecord(customer: Customer, event: CustomerRecorded): Merged | null {
  const { register } = customer.state;
  let index = register.length;
  while (index > 0) {
    const before = register[index - 1];
    if (before === undefined || before.at < event.occurredAt) break;
    if (before.at === event.occurredAt) {
      if (before.eventId === event.eventId) return null;
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
  return { fact, of: "customers" };
}
