import type { Customer } from "./customer.ts";
import type { OrderFact } from "./customer-state.ts";
import type { CustomerEvent, DeadLetterReason } from "./events.ts";
import { GREATEST_BASE_MINOR, toBase } from "./money.ts";
import type { Policy } from "./policy.ts";
import { versionAt, type Versioned } from "./versions.ts";

export interface Refusal {
  readonly reason: DeadLetterReason;
  readonly detail: string;
}

/** Checks that need the policy or the customer (S2.3 `unknown_currency`, `too_late`); null: admitted. Nothing is changed. */
export function refusalOf(
  customer: Customer,
  event: Exclude<CustomerEvent, { topic: "referrals" }>,
  policy: Policy,
): Refusal | null {
  return tooLate(customer, event, policy) ?? moneyRefusal(event, policy);
}

function tooLate(
  customer: Customer,
  event: Exclude<CustomerEvent, { topic: "referrals" }>,
  policy: Policy,
): Refusal | null {
  const { newestAt } = customer.state;
  if (newestAt === null) return null;
  const settledBefore = Math.max(newestAt, event.occurredAt) - policy.horizonMs;
  if (event.occurredAt < settledBefore) {
    const days = Math.floor((newestAt - event.occurredAt) / 86_400_000);
    return {
      reason: "too_late",
      detail: `occurredAt is ${days} days before the customer's newest fact: it is settled`,
    };
  }
  const knownAt = decidingInstant(customer, event);
  if (knownAt === null || knownAt >= settledBefore) return null;
  return { reason: "too_late", detail: "amends a fact that is settled: it is older than the horizon" };
}

/** The instant of the fact an event would amend; null: a new fact. */
function decidingInstant(
  customer: Customer,
  event: Exclude<CustomerEvent, { topic: "referrals" }>,
): number | null {
  switch (event.topic) {
    case "orders": {
      const order = customer.order(event.orderId);
      if (order === undefined) return null;
      return (
        versionAt(order.versions, Infinity)?.at ??
        order.paid[0]?.at ??
        order.cancelled[0]?.at ??
        earliestRefundAt(order)
      );
    }
    case "inquiries":
      return instantOf(customer.inquiry(event.inquiryId));
    case "surveys":
      return instantOf(customer.survey(event.surveyId));
    case "customers":
      return null;
  }
}

function earliestRefundAt({ refunds }: OrderFact): number | null {
  const instants = refunds.flatMap(({ versions }) => versionAt(versions, Infinity)?.at ?? []);
  return instants.length === 0 ? null : Math.min(...instants);
}

function instantOf(fact: { readonly versions: readonly Versioned[] } | undefined): number | null {
  return fact === undefined ? null : (versionAt(fact.versions, Infinity)?.at ?? null);
}

function moneyRefusal(event: Exclude<CustomerEvent, { topic: "referrals" }>, policy: Policy): Refusal | null {
  if (event.topic === "orders" && event.kind === "PLACED") {
    return (
      amountRefusal(event, "amountMinor", event.amountMinor, policy) ??
      amountRefusal(event, "costMinor", event.costMinor, policy)
    );
  }
  if (event.topic === "inquiries") {
    return amountRefusal(event, "handlingCostMinor", event.handlingCostMinor, policy);
  }
  return null;
}

function amountRefusal(
  event: { readonly currency: string | null; readonly occurredAt: number },
  field: string,
  amountMinor: number,
  policy: Policy,
): Refusal | null {
  const base = toBase(policy, amountMinor, event.currency, event.occurredAt);
  if (base === null) {
    return {
      reason: "unknown_currency",
      detail: `the policy has no rate for ${String(event.currency)} on ${new Date(event.occurredAt).toISOString().slice(0, 10)}`,
    };
  }
  if (base <= GREATEST_BASE_MINOR) return null;
  return {
    reason: "invalid_field",
    detail: `${field}: more than ${GREATEST_BASE_MINOR} minor units of the base currency`,
  };
}
