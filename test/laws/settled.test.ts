import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadCustomer, newCustomer } from "../../src/domain/customer.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { instant } from "../../src/shared/instant.ts";
import { CUSTOMER, DAY, SHORT_MEMORY, START } from "./histories.ts";
import { SETTLING_DAYS, settlingArrivals } from "./settling.ts";
import { isTooLate, type Fact } from "./reference-facts.ts";
import { referenceTimeline } from "./reference.ts";

const { policy } = SHORT_MEMORY;
const HORIZON = policy.horizonMs;
const KEEPING = { policy, quiet: false, forget: false };
const FORGETTING = { policy, quiet: false, forget: true };

describe("settled facts (S2.4)", () => {
  test("only what is older than the horizon, or amends what is, is refused; the rest gives the reference's timeline", () => {
    fc.assert(
      fc.property(settlingArrivals, (events) => {
        const customer = newCustomer(CUSTOMER);
        const accepted: Fact[] = [];
        for (const event of events) {
          const outcome = foldEvent(customer, event, null, KEEPING);
          const expected = isTooLate(accepted, event, HORIZON)
            ? { kind: "dead_letter", reason: "too_late" }
            : { kind: "folded" };
          expect(outcome).toMatchObject(expected);
          if (outcome.kind === "folded") accepted.push(event);
        }
        const end = instant(START + (SETTLING_DAYS + 1500) * DAY);
        expect(timeline(customer, end, policy)).toEqual(referenceTimeline(accepted, SHORT_MEMORY, end));
      }),
      { numRuns: 200 },
    );
  });

  test("forgetting them changes nothing that is published or refused, nor the timeline since", () => {
    fc.assert(
      fc.property(settlingArrivals, fc.array(fc.boolean(), { minLength: 1 }), (events, reloads) => {
        const keeping = newCustomer(CUSTOMER);
        let forgetting = newCustomer(CUSTOMER);
        for (const [i, event] of events.entries()) {
          if (reloads[i % reloads.length] === true)
            forgetting = loadCustomer(structuredClone(forgetting.state), policy);
          const newest = keeping.state.newestAt ?? -Infinity;
          const expected = foldEvent(keeping, event, null, KEEPING);
          // Once a fact is forgotten nothing can tell its amendment from a new fact.
          if (expected.kind === "dead_letter" && event.occurredAt >= newest - HORIZON) continue;
          expect(foldEvent(forgetting, event, null, FORGETTING)).toEqual(expected);
        }
        const baseAt = forgetting.state.base?.at ?? -Infinity;
        const end = instant(START + (SETTLING_DAYS + 1500) * DAY);
        expect(timeline(forgetting, end, policy)).toEqual(
          timeline(keeping, end, policy).filter(({ at }) => at > baseAt),
        );
        expect(advance(forgetting, end, FORGETTING)).toEqual(advance(keeping, end, KEEPING));
      }),
      { numRuns: 500 },
    );
  });
});
