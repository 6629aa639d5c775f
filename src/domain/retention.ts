import { DAY_MS, instant } from "../shared/instant.ts";
import { contributionAt } from "./contribution.ts";
import type { Customer } from "./customer.ts";
import type { CustomerState, OrderFact, RegisterRecord } from "./customer-state.ts";
import { walk } from "./history.ts";
import type { Policy } from "./policy.ts";
import { versionAt } from "./versions.ts";

/** Facts are dropped at most this often: it costs a re-fold of the customer. */
const SLACK_MS = 90 * DAY_MS;

/**
 * Folds what is settled and out of every window's reach into totals (S2.4). Facts stay for two horizons: one in which they can
 * be amended, and one in which windows of the first still reach them.
 * @returns true when the facts changed, so that the fold must be resumed from them
 */
export function forgetSettled(customer: Customer, policy: Policy): boolean {
  const { state } = customer;
  const { newestAt } = state;
  if (newestAt === null || newestAt < customer.nothingSettledBefore) return false;
  customer.nothingSettledBefore = oldestAt(state) + 2 * policy.horizonMs + SLACK_MS;
  if (newestAt < customer.nothingSettledBefore) return false;
  const baseAt = newestAt - policy.horizonMs;

  const walker = walk(state, policy, baseAt, () => undefined);
  const { ledger } = walker;
  const lastOccasion = ledger.occasions.at(-1)?.at ?? baseAt;
  // Whole days go, so that no occasion loses its earliest order alone.
  const reach = Math.min(baseAt, lastOccasion) - policy.horizonMs;
  const cutDay = ledger.calendar.day(reach);
  const isOld = (at: number): boolean => ledger.calendar.day(at) < cutDay;
  if (!isOld(oldestAt(state))) return false;

  const dropped = ledger.occasions.filter(({ at }) => isOld(at)).length;
  state.base = {
    at: instant(baseAt),
    standing: walker.standing,
    occasionsDropped: ledger.occasionsDropped + dropped,
    firstOccasionAt: ledger.firstOccasionAt === null ? null : instant(ledger.firstOccasionAt),
  };
  if (state.base.occasionsDropped === 0) state.base = { ...state.base, firstOccasionAt: null };
  customer.retainOrders(
    (order) =>
      !isOld(placedAt(order, baseAt)) || contributionAfter(order, baseAt, policy, isOld, ledger.calendar),
  );
  state.inquiries = state.inquiries.filter(({ versions }) => !versions.every(({ at }) => isOld(at)));
  state.surveys = state.surveys.filter(({ versions }) => !versions.every(({ at }) => isOld(at)));
  state.referrals = state.referrals.filter(({ spans }) => !spans.every(({ at }) => isOld(at)));
  state.register = withoutOverridden(state.register, isOld);
  return true;
}

function oldestAt(state: CustomerState): number {
  let oldest = Infinity;
  for (const order of state.orders) oldest = Math.min(oldest, placedAt(order, Infinity));
  for (const { versions } of state.inquiries) oldest = Math.min(oldest, versions[0]?.at ?? Infinity);
  for (const { versions } of state.surveys) oldest = Math.min(oldest, versions[0]?.at ?? Infinity);
  return oldest;
}

/** When the order counts as placed at the base; what is not placed by then counts by its closing. */
function placedAt(order: OrderFact, baseAt: number): number {
  const inForce = versionAt(order.versions, baseAt) ?? order.versions[0];
  return (
    inForce?.at ??
    order.paid[0]?.at ??
    order.cancelled[0]?.at ??
    order.refunds[0]?.versions[0]?.at ??
    -Infinity
  );
}

/** An old order stays while it still stands on a day that stays, by a version dated later. */
function contributionAfter(
  order: OrderFact,
  baseAt: number,
  policy: Policy,
  isOld: (at: number) => boolean,
  calendar: Parameters<typeof contributionAt>[3],
): boolean {
  const last = order.versions.at(-1)?.at ?? -Infinity;
  if (last > baseAt) return true;
  const contribution = contributionAt(order, baseAt, policy, calendar);
  return contribution !== null && !isOld(contribution.at);
}

/** Drops old register records of which every attribute is set again by a later, also old one. */
function withoutOverridden(
  register: readonly RegisterRecord[],
  isOld: (at: number) => boolean,
): RegisterRecord[] {
  const overridden = new Set<string>();
  const kept: RegisterRecord[] = [];
  for (const record of register.toReversed()) {
    const isNeeded = !isOld(record.at) || record.attributes.some(([name]) => !overridden.has(name));
    if (isNeeded) kept.push(record);
    if (isOld(record.at)) for (const [name] of record.attributes) overridden.add(name);
  }
  return kept.reverse();
}
