import { instant, type Instant } from "../shared/instant.ts";
import type { OrderFact, ReferralFact } from "./customer-state.ts";
import type { Referral, ReferralSpan } from "./events.ts";
import type { ReferralUpdate } from "./fold-api.ts";
import { versionAt } from "./versions.ts";

/** Spans in which an order stood and named each referrer (S3.8), by referrer. Nobody refers themselves. */
export function spansByReferrer(
  order: OrderFact,
  customerId: string,
): ReadonlyMap<string, readonly ReferralSpan[]> {
  const spans = new Map<string, ReferralSpan[]>();
  if (!namesReferrer(order)) return spans;
  const open: { referrer: string; at: Instant; from: Instant }[] = [];
  const close = (until: Instant | null): void => {
    const ended = open.pop();
    if (ended === undefined) return;
    const list = spans.get(ended.referrer) ?? [];
    list.push({ at: ended.at, from: ended.from, until });
    spans.set(ended.referrer, list);
  };
  for (const at of instantsOf(order)) {
    const version = versionAt(order.versions, at);
    const referrer = version !== undefined && standsAt(order, at) ? version.referredBy : null;
    const named = referrer === customerId ? null : referrer;
    if (named === null || version === undefined) {
      close(instant(at));
      continue;
    }
    const now = open[0];
    if (now?.referrer === named && now.at === version.at) continue;
    close(instant(at));
    open.push({ referrer: named, at: version.at, from: instant(at) });
  }
  close(null);
  return spans;
}

function namesReferrer(order: OrderFact): boolean {
  return order.versions.some(({ referredBy }) => referredBy !== null);
}

function instantsOf(order: OrderFact): number[] {
  const instants = new Set<number>();
  for (const { at } of order.versions) instants.add(at);
  for (const { at } of order.cancelled) instants.add(at);
  for (const { versions } of order.refunds) for (const { at } of versions) instants.add(at);
  return [...instants].sort((a, b) => a - b);
}

/** S3.1. */
function standsAt(order: OrderFact, at: number): boolean {
  const version = versionAt(order.versions, at);
  if (version === undefined || version.amountMinor <= 0) return false;
  if (order.cancelled.some((closing) => closing.at <= at)) return false;
  let refunded = 0;
  for (const { versions } of order.refunds) refunded += versionAt(versions, at)?.amountMinor ?? 0;
  return refunded < version.amountMinor;
}

/** What referrers must be told after an order changed from `before` to `after`: complete spans, none = as if it had never been. */
export function referralUpdates(
  referredId: string,
  orderId: string,
  before: ReadonlyMap<string, readonly ReferralSpan[]>,
  after: ReadonlyMap<string, readonly ReferralSpan[]>,
): ReferralUpdate[] {
  const updates: ReferralUpdate[] = [];
  for (const customerId of new Set([...before.keys(), ...after.keys()])) {
    const spans = after.get(customerId) ?? [];
    if (sameSpans(before.get(customerId) ?? [], spans)) continue;
    updates.push({ topic: "referrals", customerId, referredId, orderId, spans });
  }
  return updates;
}

function sameSpans(a: readonly ReferralSpan[], b: readonly ReferralSpan[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ at, from, until }, i) => at === b[i]?.at && from === b[i].from && until === b[i].until)
  );
}

/**
 * Takes an upsert into the referrer's facts; spans of orders up to the erasure stay out (S2.5).
 * @returns the instants at which the referral differs from what was known, ascending; null: an older version than the known one
 */
export function mergeReferral(
  referrals: ReferralFact[],
  event: Referral,
  erasedAt: Instant | null,
): readonly number[] | null {
  const index = referrals.findIndex(
    (known) => known.referredId === event.referredId && known.orderId === event.orderId,
  );
  const known = referrals[index];
  if (known !== undefined && known.version >= event.version) return null;
  const spans = erasedAt === null ? event.spans : event.spans.filter(({ at }) => at > erasedAt);
  const before = known?.spans ?? [];
  if (spans.length === 0) {
    if (index >= 0) referrals.splice(index, 1);
  } else if (known === undefined) {
    referrals.push({ referredId: event.referredId, orderId: event.orderId, version: event.version, spans });
  } else {
    known.version = event.version;
    known.spans = spans;
  }
  return differences(before, spans);
}

/** Boundaries at which what is in force under `a` and `b` differs, and those of `b` after the first of them. */
function differences(a: readonly ReferralSpan[], b: readonly ReferralSpan[]): number[] {
  const boundaries = new Set<number>();
  for (const { from, until } of [...a, ...b]) {
    boundaries.add(from);
    if (until !== null) boundaries.add(until);
  }
  const sorted = [...boundaries].sort((x, y) => x - y);
  const first = sorted.findIndex(
    (at) => inForce(a, at) !== inForce(b, at) || isBoundary(a, at) !== isBoundary(b, at),
  );
  return first < 0 ? [] : sorted.slice(first);
}

function inForce(spans: readonly ReferralSpan[], at: number): number | null {
  return spans.find(({ from, until }) => from <= at && (until === null || at < until))?.at ?? null;
}

/** A boundary is an instant of the referrer (S7), even where nothing differs around it. */
function isBoundary(spans: readonly ReferralSpan[], at: number): boolean {
  return spans.some(({ from, until }) => from === at || until === at);
}
