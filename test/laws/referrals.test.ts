import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newCustomer } from "../../src/domain/customer.ts";
import type { Referral, ReferralSpan } from "../../src/domain/events.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { instant } from "../../src/shared/instant.ts";
import { arrival } from "./arrival.ts";
import { CUSTOMER, DAY, erasableHistory, history, POLICY, START, timeOf, WORLDS } from "./histories.ts";
import { accepted, standingOrders, type Fact } from "./reference-facts.ts";
import { referenceTimeline } from "./reference.ts";

const OPTIONS = { policy: POLICY, quiet: false, forget: true };
const END = instant(START + 2400 * DAY);

/** S3.8 from the orders of a customer: when each stood and named a referrer, by `referrer/order`. */
function referenceSpans(events: readonly Fact[]): Map<string, ReferralSpan[]> {
  const { facts } = accepted(events);
  const instants = [...new Set(facts.map(({ occurredAt }) => occurredAt))].sort((a, b) => a - b);
  const spans = new Map<string, ReferralSpan[]>();
  for (const at of instants) {
    const orders = standingOrders(facts.filter(({ occurredAt }) => occurredAt <= at)).map(
      ({ placed }) => placed,
    );
    const named = new Map(
      orders
        .filter(({ referredBy }) => referredBy !== null && referredBy !== CUSTOMER)
        .map(({ referredBy, orderId, occurredAt }) => [`${referredBy}/${orderId}`, occurredAt]),
    );
    for (const [key, list] of spans) {
      const last = list.at(-1)!;
      if (last.until === null && named.get(key) !== last.at)
        list[list.length - 1] = { ...last, until: instant(at) };
    }
    for (const [key, placedAt] of named) {
      const list = spans.get(key) ?? [];
      if (list.at(-1)?.until === null) continue;
      spans.set(key, [...list, { at: placedAt, from: instant(at), until: null }]);
    }
  }
  return spans;
}

const ordering = erasableHistory(900, 16)
  .map((events) => events.filter((event): event is Fact => event.topic !== "referrals"))
  .filter((events) => events.length > 0);

describe("referrals (S3.8)", () => {
  test("what referrers were told last is when the orders stood and named them, in whatever order facts and erasures came", () => {
    fc.assert(
      fc.property(arrival(ordering), (events) => {
        const customer = newCustomer(CUSTOMER);
        const told = new Map<string, readonly ReferralSpan[]>();
        for (const event of events) {
          const outcome = foldEvent(customer, event, null, OPTIONS);
          if (outcome.kind !== "folded") continue;
          for (const { customerId, referredId, orderId, spans } of outcome.referrals) {
            expect(referredId).toBe(CUSTOMER);
            expect(spans).not.toEqual(told.get(`${customerId}/${orderId}`) ?? []);
            told.set(`${customerId}/${orderId}`, spans);
          }
        }
        const standing = [...told].filter(([, spans]) => spans.length > 0);
        expect(new Map(standing)).toEqual(referenceSpans(events as Fact[]));
      }),
      { numRuns: 400 },
    );
  });

  test("a referrer of whom nothing else is known enters the register by it, and leaves with its erasure", () => {
    fc.assert(
      fc.property(arrival(ordering), (events) => {
        const customer = newCustomer(CUSTOMER);
        const referrer = newCustomer("c2");
        const updates: Referral[] = [];
        for (const event of events) {
          const outcome = foldEvent(customer, event, null, OPTIONS);
          if (outcome.kind !== "folded") continue;
          for (const update of outcome.referrals.filter(({ customerId }) => customerId === "c2"))
            updates.push({ ...update, version: updates.length });
        }
        for (const update of updates) foldEvent(referrer, update, null, OPTIONS);
        expect(timeline(referrer, END, POLICY)).toEqual(referenceTimeline(updates, WORLDS[0]!, END));
        const isKnown = [...referenceSpans(events as Fact[]).keys()].some((key) => key.startsWith("c2/"));
        expect(timeline(referrer, END, POLICY).length > 0).toBe(isKnown);
      }),
      { numRuns: 200 },
    );
  });

  test("those that reach a referrer in order are published as they come to hold and cease", () => {
    fc.assert(
      fc.property(history(900, 12), (events) => {
        // One referral an order, and all of it later than what came before: nothing is late.
        let last = -Infinity;
        const orders = new Set<string>();
        const inOrder = events
          .toSorted((a, b) => timeOf(a) - timeOf(b))
          .filter((event) => {
            const boundaries =
              event.topic === "referrals"
                ? event.spans.flatMap(({ from, until }) => [from, until ?? from])
                : [event.occurredAt];
            const order =
              event.topic === "referrals" ? `${event.referredId}/${event.orderId}` : event.eventId;
            if (boundaries.length === 0 || Math.min(...boundaries) <= last || orders.has(order)) return false;
            last = Math.max(...boundaries);
            orders.add(order);
            return true;
          });
        const customer = newCustomer(CUSTOMER);
        const published = inOrder
          .flatMap((event) => {
            const outcome = foldEvent(customer, event, null, OPTIONS);
            return outcome.kind === "folded" ? outcome.outputs : [];
          })
          .concat(advance(customer, END, OPTIONS));
        expect(
          published.map((draft) => ({
            at: draft!.effectiveAt,
            previous: draft!.previous,
            current: draft!.current,
            cause: draft!.cause,
          })),
        ).toEqual(referenceTimeline(inOrder, WORLDS[0]!, END));
      }),
      { numRuns: 400 },
    );
  });
});
