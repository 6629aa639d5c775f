import { instant, type Instant } from "../shared/instant.ts";
import type { Customer } from "./customer.ts";
import type { CustomerState, OrderFact } from "./customer-state.ts";
import type { ReferralUpdate } from "./fold-api.ts";
import { referralUpdates, spansByReferrer } from "./referral.ts";

/**
 * Deletes every fact up to and including `at` (S2.5) and remembers the erasure.
 * @returns what referrers must be told: the referrals of deleted orders are as if they had never been (S3.8)
 */
export function eraseFacts(customer: Customer, at: Instant): ReferralUpdate[] {
  const { state } = customer;
  const updates: ReferralUpdate[] = [];
  for (const order of state.orders) {
    const before = spansByReferrer(order, state.customerId);
    customer.markChanged(order.page);
    eraseFromOrder(order, at);
    updates.push(
      ...referralUpdates(state.customerId, order.orderId, before, spansByReferrer(order, state.customerId)),
    );
  }
  customer.retainOrders(hasContent);
  for (const inquiry of state.inquiries)
    inquiry.versions = inquiry.versions.filter((version) => version.at > at);
  state.inquiries = state.inquiries.filter(({ versions }) => versions.length > 0);
  for (const survey of state.surveys) survey.versions = survey.versions.filter((version) => version.at > at);
  state.surveys = state.surveys.filter(({ versions }) => versions.length > 0);
  state.register = state.register.filter((record) => record.at > at);
  for (const referral of state.referrals) referral.spans = referral.spans.filter((span) => span.at > at);
  state.referrals = state.referrals.filter(({ spans }) => spans.length > 0);
  state.base = null;
  state.erasedAt = at;
  state.newestAt = newestOf(state);
  if (!customer.hasFacts) state.evaluatedAt = null;
  return updates;
}

function eraseFromOrder(order: OrderFact, at: Instant): void {
  order.versions = order.versions.filter((version) => version.at > at);
  order.paid = order.paid.filter((closing) => closing.at > at);
  order.cancelled = order.cancelled.filter((closing) => closing.at > at);
  for (const refund of order.refunds) refund.versions = refund.versions.filter((version) => version.at > at);
  order.refunds = order.refunds.filter(({ versions }) => versions.length > 0);
}

function hasContent({ versions, paid, cancelled, refunds }: OrderFact): boolean {
  return versions.length + paid.length + cancelled.length + refunds.length > 0;
}

function newestOf(state: CustomerState): Instant | null {
  let newest = -Infinity;
  const consider = (dated: readonly { readonly at: number }[]): void => {
    newest = Math.max(newest, dated.at(-1)?.at ?? -Infinity);
  };
  for (const { versions, paid, cancelled, refunds } of state.orders) {
    consider(versions);
    consider(paid);
    consider(cancelled);
    for (const refund of refunds) consider(refund.versions);
  }
  for (const { versions } of state.inquiries) consider(versions);
  for (const { versions } of state.surveys) consider(versions);
  consider(state.register);
  return newest === -Infinity ? null : instant(newest);
}
