import { DAY_MS, instant } from "../shared/instant.ts";
import { contributionAt } from "./contribution.ts";
import type { Customer } from "./customer.ts";
import type { CustomerState, OrderFact, RegisterRecord } from "./customer-state.ts";
import { walk } from "./history.ts";
import type { Policy } from "./policy.ts";
import { versionAt } from "./versions.ts";

/** Facts are dropped at most this often: it costs a re-fold of the customer. */
const SLACK_MS = 90 * DAY_MS;
/** Register records alone are dropped only by so many: most customers have few, and keeping those keeps their timeline whole. */
const SLACK_RECORDS = 64;

/**
 * Folds what is settled and out of every window's reach into totals (S2.4). Facts stay for two horizons: one in which they can
 * be amended, and one in which windows of the first still reach them (no window is longer than a horizon: policy.schema.json).
 * Orders stay longer where nothing was bought since: the lapse formula looks one horizon back from tₙ (S4.2).
 * When that happens depends on the facts alone, not on when the customer was last loaded.
 * @returns true when the facts changed, so that the fold must be resumed from them
 */
export function forgetSettled(customer: Customer, policy: Policy): boolean {
  const { state } = customer;
  const { newestAt } = state;
  if (newestAt === null || newestAt < customer.nothingSettledBefore) return false;
  const { horizonMs } = policy;
  // A fact at exactly newestAt − horizon may still come (S2.4): the base lies before it.
  const baseAt = newestAt - horizonMs - 1;
  const { occasions } = customer.walker(policy).ledger;
  const lastBought = occasions.ats[occasions.firstAfter(baseAt) - 1] ?? baseAt;
  const oldestOrder = oldestOrderAt(state);
  const oldestOther = oldestOtherAt(state);
  const due = baseAt - horizonMs - SLACK_MS;
  if (oldestOrder >= lastBought - horizonMs - SLACK_MS && oldestOther >= due) {
    // What is still to come is at most one horizon older than the newest; an order that waits for the next purchase is asked for
    // each time.
    customer.nothingSettledBefore =
      oldestOrder < due
        ? -Infinity
        : Math.min(newestAt + horizonMs, Math.min(oldestOrder, oldestOther) + 2 * horizonMs + SLACK_MS + 1);
    return false;
  }
  drop(customer, policy, baseAt, lastBought);
  return true;
}

/** `lastBought`: the last occasion up to the base as it is known now: one that stood at the base may have been cancelled since. */
function drop(customer: Customer, policy: Policy, baseAt: number, lastBought: number): void {
  const { state } = customer;
  const walker = walk(state, policy, baseAt, () => undefined);
  const { ledger } = walker;
  const cutAt = baseAt - policy.horizonMs;
  const lastOccasion = Math.min(ledger.occasions.lastAt ?? baseAt, lastBought);
  // Whole days go, so that no occasion loses its earliest order alone.
  const cutDay = ledger.calendar.day(lastOccasion - policy.horizonMs);
  const isOld = (at: number): boolean => ledger.calendar.day(at) < cutDay;
  const occasionsDropped = ledger.occasionsDropped + ledger.occasions.ats.filter(isOld).length;
  state.base = {
    at: instant(baseAt),
    standing: walker.standing,
    occasionsDropped,
    firstOccasionAt:
      occasionsDropped === 0 || ledger.firstOccasionAt === null ? null : instant(ledger.firstOccasionAt),
  };
  customer.retainOrders(
    (order) =>
      !isOld(placedAt(order, baseAt)) || contributionAfter(order, baseAt, policy, isOld, ledger.calendar),
  );
  const isPast = ({ at }: { readonly at: number }): boolean => at < cutAt;
  state.inquiries = state.inquiries.filter(({ versions }) => !versions.every(isPast));
  state.surveys = state.surveys.filter(({ versions }) => !versions.every(isPast));
  state.referrals = state.referrals.filter(({ spans }) => !spans.every(isPast));
  const overridden = overriddenAt(state.register);
  state.register = state.register.filter((_record, i) => (overridden[i] ?? Infinity) >= cutAt);
}

function oldestOrderAt(state: CustomerState): number {
  let oldest = Infinity;
  for (const order of state.orders) oldest = Math.min(oldest, placedAt(order, Infinity));
  return oldest;
}

/** The oldest instant from which on facts that are no orders are of no more use. */
function oldestOtherAt(state: CustomerState): number {
  let oldest = Infinity;
  for (const { versions } of state.inquiries) oldest = Math.min(oldest, versions.at(-1)?.at ?? Infinity);
  for (const { versions } of state.surveys) oldest = Math.min(oldest, versions.at(-1)?.at ?? Infinity);
  for (const { spans } of state.referrals) oldest = Math.min(oldest, spans.at(-1)?.at ?? Infinity);
  if (state.register.length < SLACK_RECORDS) return oldest;
  const overridden = overriddenAt(state.register).sort((a, b) => a - b);
  return Math.min(oldest, overridden[SLACK_RECORDS - 1] ?? Infinity);
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

/** For each register record since when all its attributes have been set anew (S2.2); Infinity: one of them is still in force. */
function overriddenAt(register: readonly RegisterRecord[]): number[] {
  const instants = new Array<number>(register.length).fill(Infinity);
  const setAgainAt = new Map<string, number>();
  for (let i = register.length - 1; i >= 0; i--) {
    const record = register[i];
    if (record === undefined) continue;
    instants[i] = record.at;
    for (const [name] of record.attributes) {
      instants[i] = Math.max(instants[i] ?? 0, setAgainAt.get(name) ?? Infinity);
      setAgainAt.set(name, record.at);
    }
  }
  return instants;
}
