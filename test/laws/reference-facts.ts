import type {
  CustomerEvent,
  Inquiry,
  OrderPlaced,
  OrderRefunded,
  Referral,
  Survey,
} from "../../src/domain/events.ts";

export type Fact = Exclude<CustomerEvent, Referral>;

/** The order as it is seen at an instant, when it stands (S3.1); `refunded` in its own currency. */
export interface Standing {
  readonly placed: OrderPlaced;
  readonly refunded: number;
  readonly paidAt: number | null;
}

/** S2: erasures applied, duplicates out. */
export function accepted(all: readonly CustomerEvent[]): { facts: Fact[]; referrals: Referral[] } {
  const erasedAt = Math.max(
    -Infinity,
    ...all.filter((e) => e.topic === "customers" && e.kind === "ERASED").map((e) => (e as Fact).occurredAt),
  );
  const facts: Fact[] = [];
  for (const event of all) {
    if (event.topic === "referrals" || event.occurredAt <= erasedAt) continue;
    if (event.topic === "customers" && event.kind === "ERASED") continue;
    if (facts.some((other) => identity(other) === identity(event) && versionKey(other) === versionKey(event)))
      continue;
    facts.push(event);
  }
  const latest = new Map<string, Referral>();
  for (const event of all) {
    if (event.topic !== "referrals" || event.referredId === event.customerId) continue;
    const key = `${event.referredId}/${event.orderId}`;
    if ((latest.get(key)?.version ?? -1) < event.version) latest.set(key, event);
  }
  const referrals = [...latest.values()].map((event) => ({
    ...event,
    spans: event.spans.filter(({ at }) => at > erasedAt),
  }));
  return { facts, referrals };
}

function identity(event: Fact): string {
  switch (event.topic) {
    case "orders":
      return `order ${event.orderId} ${event.kind} ${event.kind === "REFUNDED" ? event.refundId : ""}`;
    case "inquiries":
      return `inquiry ${event.inquiryId}`;
    case "surveys":
      return `survey ${event.surveyId}`;
    case "customers":
      return `record ${event.eventId} ${event.occurredAt}`;
  }
}

function versionKey(event: Fact): string {
  return `${"revision" in event && !isClosing(event) ? event.revision : 0} ${event.occurredAt} ${event.eventId}`;
}

function isClosing(event: Fact): boolean {
  return event.topic === "orders" && (event.kind === "PAID" || event.kind === "CANCELLED");
}

function wins(a: Fact, b: Fact): boolean {
  const byTime =
    a.occurredAt === b.occurredAt ? (a.eventId > b.eventId ? 1 : -1) : a.occurredAt > b.occurredAt ? 1 : -1;
  if (isClosing(a)) return byTime < 0;
  const revisions = [a, b].map((event) => ("revision" in event ? event.revision : 0));
  return revisions[0] === revisions[1] ? byTime > 0 : revisions[0]! > revisions[1]!;
}

export function inquiriesOf(seen: readonly Fact[]): Inquiry[] {
  return winners(seen.filter((event): event is Inquiry => event.topic === "inquiries"));
}

export function surveysOf(seen: readonly Fact[]): Survey[] {
  return winners(seen.filter((event): event is Survey => event.topic === "surveys"));
}

/** S2.1: of each fact the one version that counts. */
function winners<T extends Fact>(events: readonly T[]): T[] {
  const best = new Map<string, T>();
  for (const event of events) {
    const key = identity(event);
    const other = best.get(key);
    if (other === undefined || wins(event, other)) best.set(key, event);
  }
  return [...best.values()];
}

export function standingOrders(seen: readonly Fact[]): Standing[] {
  const standing: Standing[] = [];
  const orderEvents = seen.filter((event) => event.topic === "orders");
  for (const placed of winners(orderEvents.filter((e): e is OrderPlaced => e.kind === "PLACED"))) {
    const ofOrder = orderEvents.filter(({ orderId }) => orderId === placed.orderId);
    const refunded = winners(ofOrder.filter((e): e is OrderRefunded => e.kind === "REFUNDED")).reduce(
      (total, { amountMinor }) => total + amountMinor,
      0,
    );
    if (
      placed.amountMinor === 0 ||
      refunded >= placed.amountMinor ||
      ofOrder.some(({ kind }) => kind === "CANCELLED")
    )
      continue;
    const paid = ofOrder.filter(({ kind }) => kind === "PAID").map(({ occurredAt }) => occurredAt);
    standing.push({
      placed,
      refunded,
      paidAt: paid.length === 0 ? null : Math.min(...paid),
    });
  }
  return standing;
}

export function attributesAt(seen: readonly Fact[]): Map<string, string> {
  const known = new Map<string, string>();
  const records = seen
    .filter((event) => event.topic === "customers")
    .sort((a, b) => a.occurredAt - b.occurredAt || (a.eventId < b.eventId ? -1 : 1));
  for (const record of records) {
    if (record.kind !== "RECORDED") continue;
    for (const [name, value] of Object.entries(record.attributes)) {
      if (value === null) known.delete(name);
      else known.set(name, value);
    }
  }
  return known;
}

/** S2.4: whether an event is older than the horizon, or amends a fact that is. `known`: what was accepted before it. */
export function isTooLate(known: readonly Fact[], event: Fact, horizonMs: number): boolean {
  const newest = Math.max(-Infinity, ...known.map(({ occurredAt }) => occurredAt));
  if (event.occurredAt < newest - horizonMs) return true;
  const amendedAt = amendedInstant(known, event);
  return amendedAt !== null && amendedAt < Math.max(newest, event.occurredAt) - horizonMs;
}

/** When the fact happened that an event would amend. Of an order that is its PLACED, or what is known instead of it. */
function amendedInstant(known: readonly Fact[], event: Fact): number | null {
  if (event.topic === "customers") return null;
  if (event.topic !== "orders") {
    return winners(known.filter((other) => identity(other) === identity(event)))[0]?.occurredAt ?? null;
  }
  const ofOrder = known.filter((other) => other.topic === "orders" && other.orderId === event.orderId);
  for (const kind of ["PLACED", "PAID", "CANCELLED", "REFUNDED"]) {
    const first = winners(ofOrder.filter((other) => "kind" in other && other.kind === kind))
      .map(({ occurredAt }) => occurredAt)
      .sort((a, b) => a - b)[0];
    if (first !== undefined) return first;
  }
  return null;
}
