import type { Transition } from "../../src/domain/change.ts";
import type { CustomerEvent, Referral, ReferralSpan } from "../../src/domain/events.ts";
import { instant } from "../../src/shared/instant.ts";
import { accepted, standingOrders, type Fact } from "../laws/reference-facts.ts";
import { referenceTimeline } from "../laws/reference.ts";
import { WORLD } from "./policy.ts";

/** What the input topics say of each customer, by the slow reference alone. */
export class Truth {
  readonly #events = new Map<string, CustomerEvent[]>();
  readonly #newest = new Map<string, number>();

  /** @param facts good facts, each once */
  constructor(facts: readonly Fact[]) {
    for (const fact of facts) this.#add(fact);
    for (const [customerId, events] of [...this.#events]) {
      for (const referral of referralsOf(customerId, events as Fact[])) this.#add(referral);
    }
  }

  get customers(): Iterable<string> {
    return this.#events.keys();
  }

  eventsOf(customerId: string): readonly CustomerEvent[] {
    return this.#events.get(customerId) ?? [];
  }

  /** The last instant that any of the customer's facts speaks of. */
  newestOf(customerId: string): number {
    return this.#newest.get(customerId) ?? -Infinity;
  }

  /** S7: every transition up to `through`. */
  timelineOf(customerId: string, through: number): Transition[] {
    const events = this.eventsOf(customerId);
    return events.length === 0 ? [] : referenceTimeline(events, WORLD, through);
  }

  /** How many tombstones there must be. */
  erasuresOf(customerId: string): number {
    return this.eventsOf(customerId).filter((event) => event.topic === "customers" && event.kind === "ERASED")
      .length;
  }

  #add(event: CustomerEvent): void {
    const { customerId } = event;
    const events = this.#events.get(customerId) ?? [];
    this.#events.set(customerId, events);
    events.push(event);
    const at =
      event.topic === "referrals"
        ? Math.max(...event.spans.flatMap(({ from, until }) => [from, until ?? from]))
        : event.occurredAt;
    this.#newest.set(customerId, Math.max(this.newestOf(customerId), at));
  }
}

/** S3.8: who was named by orders of a customer, and when they stood. */
function referralsOf(customerId: string, events: readonly Fact[]): Referral[] {
  const { facts } = accepted(events);
  if (!facts.some((fact) => fact.topic === "orders" && fact.kind === "PLACED" && fact.referredBy !== null))
    return [];
  const instants = [...new Set(facts.map(({ occurredAt }) => occurredAt))].sort((a, b) => a - b);
  const spans = new Map<string, { referrer: string; orderId: string; list: ReferralSpan[] }>();
  for (const at of instants) {
    const standing = standingOrders(facts.filter(({ occurredAt }) => occurredAt <= at));
    const named = new Map<string, { referrer: string; orderId: string; placedAt: number }>();
    for (const { placed } of standing) {
      const { referredBy, orderId, occurredAt } = placed;
      if (referredBy === null || referredBy === customerId) continue;
      named.set(JSON.stringify([referredBy, orderId]), {
        referrer: referredBy,
        orderId,
        placedAt: occurredAt,
      });
    }
    for (const [key, { list }] of spans) {
      const last = list.at(-1);
      if (last?.until === null && named.get(key)?.placedAt !== last.at)
        list[list.length - 1] = { ...last, until: instant(at) };
    }
    for (const [key, { referrer, orderId, placedAt }] of named) {
      const found = spans.get(key) ?? { referrer, orderId, list: [] };
      spans.set(key, found);
      if (found.list.length === 0 || found.list.at(-1)?.until !== null)
        found.list.push({ at: instant(placedAt), from: instant(at), until: null });
    }
  }
  return [...spans.values()].map(({ referrer, orderId, list }) => ({
    topic: "referrals",
    customerId: referrer,
    referredId: customerId,
    orderId,
    version: 1,
    spans: list,
  }));
}
