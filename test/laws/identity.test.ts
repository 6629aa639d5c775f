import fc from "fast-check";
import { expect, test } from "vitest";
import { newCustomer } from "../../src/domain/customer.ts";
import { advance, foldEvent, repolicy } from "../../src/domain/fold.ts";
import { instant } from "../../src/shared/instant.ts";
import { arrival } from "./arrival.ts";
import { CUSTOMER, DAY, erasableHistory, START, WORLDS } from "./histories.ts";

test("between two tombstones no two changes of a customer share an id, whatever comes late and however often a policy comes back (S8)", () => {
  // The second counts in another currency, in another zone and by other profiles.
  const [first, second] = [WORLDS[0]!.policy, WORLDS[3]!.policy];
  let policyChanges = 0;
  fc.assert(
    fc.property(
      arrival(erasableHistory(900, 12)),
      fc.array(fc.record({ day: fc.nat(2000), times: fc.integer({ min: 1, max: 4 }) }), {
        minLength: 1,
        maxLength: 12,
      }),
      (events, turns) => {
        const customer = newCustomer(CUSTOMER);
        let [policy, other] = [first, second];
        let clock = instant(START);
        const seen = new Set<string>();
        for (const [i, event] of events.entries()) {
          const { day, times } = turns[i % turns.length]!;
          clock = instant(Math.max(clock, START + day * DAY));
          const outputs = [...advance(customer, clock, { policy, quiet: false, forget: true })];
          const outcome = foldEvent(customer, event, clock, { policy, quiet: false, forget: true });
          if (outcome.kind === "folded") outputs.push(...outcome.outputs);
          for (let turn = 0; turn < times; turn++) {
            [policy, other] = [other, policy];
            const drafts = repolicy(customer, clock, { policy, quiet: false, forget: true });
            policyChanges += drafts.length;
            outputs.push(...drafts);
          }
          for (const draft of outputs) {
            if (draft === null) seen.clear();
            else expect(seen, draft.changeId).not.toContain(draft.changeId);
            if (draft !== null) seen.add(draft.changeId);
          }
        }
      },
    ),
    { numRuns: 150 },
  );
  expect(policyChanges).toBeGreaterThan(50);
});
