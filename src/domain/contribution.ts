import type { Calendar } from "./calendar.ts";
import type { OrderFact } from "./customer-state.ts";
import { toBase } from "./money.ts";
import type { Policy } from "./policy.ts";
import { versionAt } from "./versions.ts";

/** What a standing order (S3.1) adds to a customer's figures; money in minor units of the base currency. */
export interface Contribution {
  readonly order: OrderFact;
  readonly at: number;
  readonly day: number;
  /** S3.2. */
  readonly net: number;
  /** Before refunds: the weight in `dbt` (S3.7). */
  readonly gross: number;
  readonly cost: number;
  readonly units: number;
  readonly categories: readonly string[];
  readonly dueAt: number | null;
  /** Milliseconds beyond terms once paid; null while unpaid, or without terms. */
  readonly lateMs: number | null;
}

/** The order as of an instant, or null when it does not stand then. Its rates are known: they were checked on arrival. */
export function contributionAt(
  order: OrderFact,
  at: number,
  policy: Policy,
  calendar: Calendar,
): Contribution | null {
  const version = versionAt(order.versions, at);
  if (version === undefined || version.amountMinor <= 0) return null;
  const cancelledAt = order.cancelled[0]?.at;
  if (cancelledAt !== undefined && cancelledAt <= at) return null;
  let refunded = 0;
  for (const refund of order.refunds) refunded += versionAt(refund.versions, at)?.amountMinor ?? 0;
  if (refunded >= version.amountMinor) return null;
  const { currency } = version;
  const gross = toBase(policy, version.amountMinor, currency, version.at) ?? 0;
  const paidAt = order.paid[0]?.at;
  return {
    order,
    at: version.at,
    day: calendar.day(version.at),
    net: refunded === 0 ? gross : (toBase(policy, version.amountMinor - refunded, currency, version.at) ?? 0),
    gross,
    cost: version.costMinor === 0 ? 0 : (toBase(policy, version.costMinor, currency, version.at) ?? 0),
    units: version.units,
    categories: version.categories,
    dueAt: version.dueAt,
    lateMs:
      version.dueAt !== null && paidAt !== undefined && paidAt <= at
        ? Math.max(0, paidAt - version.dueAt)
        : null,
  };
}
