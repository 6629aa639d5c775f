import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newCustomer } from "../../src/domain/customer.ts";
import { advance, foldEvent, repolicy } from "../../src/domain/fold.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { instant } from "../../src/shared/instant.ts";
import { arrival } from "./arrival.ts";
import { CUSTOMER, DAY, erasableHistory, START, WORLDS } from "./histories.ts";
import { referenceEvaluatedAt, referenceTimeline } from "./reference.ts";

describe("a policy change (S7.3)", () => {
  test("re-folds the customer: at most one change, of cause POLICY, to where the new policy leads; then it goes on under it", () => {
    const [from, to] = [WORLDS[0]!, WORLDS[1]!];
    fc.assert(
      fc.property(arrival(erasableHistory(900, 12)), fc.nat(2000), (events, day) => {
        const options = { policy: from.policy, quiet: false, forget: true };
        const customer = newCustomer(CUSTOMER);
        for (const event of events) foldEvent(customer, event, null, options);
        const clock = instant(START + day * DAY);
        advance(customer, clock, options);
        const { published, evaluatedAt } = customer.state;
        const limit = Math.max(evaluatedAt ?? -Infinity, clock);
        const anew = { ...options, policy: to.policy };
        const outputs = repolicy(customer, clock, anew);
        const last = referenceTimeline(events, to, limit).at(-1);
        const changes =
          last !== undefined && JSON.stringify(last.current) !== JSON.stringify(published?.classification);
        expect(outputs).toMatchObject(
          changes
            ? [
                {
                  previous: published!.classification,
                  current: last.current,
                  effectiveAt: last.at,
                  cause: { kind: "POLICY", ref: last.cause.ref },
                  supersedes: null,
                },
              ]
            : [],
        );
        expect(customer.state.evaluatedAt).toBe(
          last === undefined ? null : referenceEvaluatedAt(events, to, limit),
        );
        const end = instant(START + 2400 * DAY);
        const following = advance(customer, end, anew).map((draft) => draft!.current);
        expect(following).toEqual(
          referenceTimeline(events, to, end)
            .filter(({ at }) => at > limit)
            .map(({ current }) => current),
        );
        expect(timeline(customer, end, to.policy)).toEqual(referenceTimeline(events, to, end));
      }),
      { numRuns: 150 },
    );
  });
});
