import type { Cause, DeadlineName, EventRef } from "../../domain/change.ts";
import type { CustomerState } from "../../domain/customer-state.ts";
import type { CustomerEvent, InquiryKind } from "../../domain/events.ts";
import { assertNever } from "../../shared/assert.ts";
import { moneyText } from "./human-text.ts";

const DEADLINE_TEXTS: Readonly<Record<DeadlineName, string>> = {
  lapse: "its time to buy again ran out",
  overdue: "an invoice is long overdue",
  "window-365d": "a purchase or cost turned a year old",
  "window-730d": "a purchase turned two years old",
  interest: "its last question became too old",
  survey: "its survey answer became too old",
  tenure: "it has been an ACCOUNT long enough",
  "divest-age": "it has been a customer for half a year",
};

const INQUIRY_TEXTS: Readonly<Record<InquiryKind, string>> = {
  INFORMATION: "asked for information",
  QUOTE: "asked for a quote",
  VISIT: "asked for a visit",
  SUPPORT: "support case",
  COMPLAINT: "complaint",
};

export function deadlineText(name: DeadlineName): string {
  return DEADLINE_TEXTS[name];
}

/** What an event tells, in a few words. `base`: the currency of orders that name none. */
export function eventText(event: CustomerEvent, base: string): string {
  switch (event.topic) {
    case "orders":
      switch (event.kind) {
        case "PLACED":
          return placedText(event.orderId, event.amountMinor, event.currency ?? base);
        case "REFUNDED":
          return refundText(event.orderId, event.amountMinor, base);
        case "PAID":
          return `${event.orderId} paid`;
        case "CANCELLED":
          return `${event.orderId} cancelled`;
        default:
          return assertNever(event);
      }
    case "inquiries":
      return INQUIRY_TEXTS[event.kind];
    case "surveys":
      return surveyText(event.score);
    case "customers":
      return event.kind === "ERASED" ? "asked to be erased" : "entered in the register";
    case "referrals":
      return referralText(event.referredId);
    default:
      return assertNever(event);
  }
}

const placedText = (orderId: string, minor: number, currency: string): string =>
  `order ${orderId}, ${moneyText(minor, currency)}`;
const refundText = (orderId: string, minor: number, currency: string): string =>
  `${moneyText(minor, currency)} back on ${orderId}`;
const surveyText = (score: number): string => `survey answer ${score}`;
const referralText = (referredId: string): string => `${referredId} bought on its recommendation`;

/** What the fact behind a transition tells, found among the customer's own; null: it is not (or no longer) there. */
export function factText(state: CustomerState, { topic, eventId }: EventRef, base: string): string | null {
  switch (topic) {
    case "orders":
      return orderFactText(state, eventId, base);
    case "inquiries": {
      const version = state.inquiries
        .flatMap(({ versions }) => versions)
        .find((known) => known.eventId === eventId);
      return version === undefined ? null : INQUIRY_TEXTS[version.kind];
    }
    case "surveys": {
      const version = state.surveys
        .flatMap(({ versions }) => versions)
        .find((known) => known.eventId === eventId);
      return version === undefined ? null : surveyText(version.score);
    }
    case "customers":
      return "entered in the register";
    case "referrals":
      return referralText(eventId.split("/")[0] ?? eventId);
    default:
      return null;
  }
}

function orderFactText(state: CustomerState, eventId: string, base: string): string | null {
  for (const { orderId, versions, paid, cancelled, refunds } of state.orders) {
    const placed = versions.find((version) => version.eventId === eventId);
    if (placed !== undefined) return placedText(orderId, placed.amountMinor, placed.currency ?? base);
    if (paid.some((closing) => closing.eventId === eventId)) return `${orderId} paid`;
    if (cancelled.some((closing) => closing.eventId === eventId)) return `${orderId} cancelled`;
    for (const refund of refunds) {
      const version = refund.versions.find((known) => known.eventId === eventId);
      if (version !== undefined) return refundText(orderId, version.amountMinor, base);
    }
  }
  return null;
}

/** Why a transition came, in a few words. `tell` finds the fact; what it does not find is told by its topic. */
export function causeText({ kind, ref }: Cause, tell: (ref: EventRef) => string | null): string {
  if (ref === null) return kind === "POLICY" ? "the policy changed" : "unknown";
  if (typeof ref === "string") return deadlineText(ref);
  return tell(ref) ?? `a record of ${ref.topic}`;
}
