import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadCustomer, newCustomer, type Customer } from "../../src/domain/customer.ts";
import type { ChangeDraft } from "../../src/domain/change.ts";
import type { CustomerEvent } from "../../src/domain/events.ts";
import { segmentAt } from "../../src/domain/explain.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import type { FoldOutput } from "../../src/domain/fold-api.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { instant } from "../../src/shared/instant.ts";
import { arrival } from "./arrival.ts";
import { CUSTOMER, DAY, erasableHistory, history, POLICY, START, timeOf, WORLDS } from "./histories.ts";
import { referenceFacts, referenceTimeline } from "./reference.ts";

const LOUD = { policy: POLICY, quiet: false, forget: true };
const QUIET = { policy: POLICY, quiet: true, forget: true };
const worlds = fc.constantFrom(...WORLDS);
const END = instant(START + 2400 * DAY);
const runs = { numRuns: 150 };

function foldAll(
  events: readonly CustomerEvent[],
  options = LOUD,
  customer = newCustomer(CUSTOMER),
): { customer: Customer; outputs: FoldOutput[] } {
  const outputs: FoldOutput[] = [];
  for (const event of events) {
    const outcome = foldEvent(customer, event, null, options);
    if (outcome.kind === "folded") outputs.push(...outcome.outputs);
    expect(outcome.kind).not.toBe("dead_letter");
  }
  return { customer, outputs };
}

function drafts(outputs: readonly FoldOutput[]): ChangeDraft[] {
  return outputs.filter((output): output is ChangeDraft => output !== null);
}

describe("the fold (S1, S7)", () => {
  test("any order of arrival, any repetition, any moment of applying deadlines gives the reference's timeline", () => {
    fc.assert(
      fc.property(
        worlds,
        arrival(erasableHistory(900, 14)),
        fc.array(fc.nat(2000), { maxLength: 6 }),
        (world, events, sweeps) => {
          const { policy } = world;
          const options = { ...LOUD, policy };
          const customer = newCustomer(CUSTOMER);
          events.forEach((event, i) => {
            foldEvent(customer, event, null, options);
            const sweep = sweeps[i];
            if (sweep !== undefined) advance(customer, instant(START + sweep * DAY), options);
          });
          expect(timeline(customer, END, policy)).toEqual(referenceTimeline(events, world, END));
        },
      ),
      { numRuns: 350 },
    );
  });

  test("the figures of any instant are the reference's (S3)", () => {
    fc.assert(
      fc.property(
        worlds,
        arrival(erasableHistory(900, 14)),
        fc.array(fc.nat(2000), { minLength: 1, maxLength: 4 }),
        (world, events, days) => {
          const { customer } = foldAll(events, { ...LOUD, policy: world.policy });
          for (const day of days) {
            const at = instant(START + day * DAY);
            const segment = segmentAt(customer, at, world.policy);
            const current = referenceTimeline(events, world, at).at(-1)?.current ?? null;
            expect(segment?.classification ?? null).toEqual(current);
            if (segment !== null) expect(segment.facts).toMatchObject(referenceFacts(events, world, at));
          }
        },
      ),
      runs,
    );
  });

  test("events in order, one an instant, publish each transition of the reference, one change each", () => {
    fc.assert(
      fc.property(worlds, history(900, 14), (world, events) => {
        const options = { ...LOUD, policy: world.policy };
        const seen = new Set<number>();
        const inOrder = events
          .filter((event) => event.topic !== "referrals")
          .sort((a, b) => timeOf(a) - timeOf(b))
          .filter((event) => !seen.has(timeOf(event)) && seen.add(timeOf(event)));
        const { customer, outputs } = foldAll(inOrder, options);
        const all = [...outputs, ...advance(customer, END, options)];
        const published = drafts(all).map(({ effectiveAt, previous, current, cause }) => ({
          at: effectiveAt,
          previous,
          current,
          cause,
        }));
        expect(published).toEqual(referenceTimeline(inOrder, world, END));
      }),
      runs,
    );
  });

  test("published changes form a chain that ends where the reference does", () => {
    fc.assert(
      fc.property(arrival(erasableHistory(900, 14)), (events) => {
        const { customer, outputs } = foldAll(events);
        const all = [...outputs, ...advance(customer, END, LOUD)];
        let last: unknown = null;
        for (const output of all) {
          if (output !== null) expect(output.previous).toEqual(last);
          last = output === null ? null : output.current;
        }
        expect(last).toEqual(referenceTimeline(events, WORLDS[0]!, END).at(-1)?.current ?? null);
      }),
      runs,
    );
  });

  test("storing and loading at any moment changes nothing", () => {
    fc.assert(
      fc.property(arrival(erasableHistory(900, 14)), fc.array(fc.boolean()), (events, stored) => {
        let customer = newCustomer(CUSTOMER);
        const outputs: FoldOutput[] = [];
        events.forEach((event, i) => {
          if (stored[i % Math.max(1, stored.length)] === true)
            customer = loadCustomer(structuredClone(customer.state), POLICY);
          const outcome = foldEvent(customer, event, null, LOUD);
          if (outcome.kind === "folded") outputs.push(...outcome.outputs);
        });
        const kept = foldAll(events);
        expect(outputs).toEqual(kept.outputs);
        expect(customer.state).toEqual(kept.customer.state);
      }),
      runs,
    );
  });

  test("`next` comes true when nothing else happens", () => {
    fc.assert(
      fc.property(arrival(history(900, 12)), (events) => {
        const { customer, outputs } = foldAll(events);
        const last = drafts(outputs).at(-1);
        fc.pre(last !== undefined && outputs.at(-1) === last);
        const segment = segmentAt(customer, customer.state.evaluatedAt!, POLICY);
        const following = drafts(advance(customer, END, LOUD))[0];
        expect(segment?.next?.at ?? null).toBe(following?.effectiveAt ?? null);
        expect(segment?.next?.becomes ?? null).toEqual(following?.current ?? null);
      }),
      runs,
    );
  });

  test("a silent fold reaches the same state as a loud one, but for the ids of changes", () => {
    fc.assert(
      fc.property(arrival(erasableHistory(900, 14)), (events) => {
        const silent = foldAll(events, QUIET);
        expect(silent.outputs).toEqual([]);
        expect(silent.customer.state).toEqual(foldAll(events, LOUD).customer.state);
      }),
      runs,
    );
  });

  test("what is settled may be forgotten: years later the same is in force", () => {
    fc.assert(
      fc.property(history(900, 10), history(900, 6), (early, late) => {
        const shifted = late
          .filter((event) => event.topic !== "referrals")
          .map((event, i): CustomerEvent => ({
            ...event,
            eventId: `l${i}`,
            occurredAt: instant(event.occurredAt + 3000 * DAY),
          }));
        const renamed = shifted.map((event): CustomerEvent =>
          event.topic === "orders"
            ? { ...event, orderId: `late ${event.orderId}` }
            : event.topic === "inquiries"
              ? { ...event, inquiryId: `late ${event.inquiryId}` }
              : event.topic === "surveys"
                ? { ...event, surveyId: `late ${event.surveyId}` }
                : event,
        );
        const events = [...early.filter((event) => event.topic !== "referrals"), ...renamed].sort(
          (a, b) => timeOf(a) - timeOf(b),
        );
        const end = instant(END + 3000 * DAY);
        const kept = newCustomer(CUSTOMER);
        const forgetful = newCustomer(CUSTOMER);
        for (const event of events) {
          const a = foldEvent(kept, event, null, { ...LOUD, forget: false });
          const b = foldEvent(forgetful, event, null, LOUD);
          expect(b).toEqual(a);
        }
        expect(advance(forgetful, end, LOUD)).toEqual(advance(kept, end, LOUD));
        expect(timeline(kept, end, POLICY)).toEqual(referenceTimeline(events, WORLDS[0]!, end));
      }),
      { numRuns: 150 },
    );
  });
});
