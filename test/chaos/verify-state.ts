import { isDeepStrictEqual } from "node:util";
import { loadCustomer } from "../../src/domain/customer.ts";
import { nextDeadline } from "../../src/domain/fold.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { throughFor } from "../../src/pipeline/shard-clock.ts";
import { instant } from "../../src/shared/instant.ts";
import type { SeenChange, SeenShard, Violation } from "./observed.ts";
import { WORLD } from "./policy.ts";
import type { Truth } from "./truth.ts";

/** How a shard lies in Redis: every customer that must be there and nobody else, with the truth in it. */
export function checkShard(
  seen: SeenShard,
  truth: Truth,
  chains: ReadonlyMap<string, readonly SeenChange[]>,
  appliedThrough: number,
  report: (violation: Violation) => void,
): void {
  const { policy } = WORLD;
  const say = (kind: string, customerId: string | null, expected: unknown, found: unknown): void =>
    report({ kind, customerId, expected, found, at: null });

  for (const [customerId, state] of seen.states) {
    const events = truth.eventsOf(customerId);
    if (events.length === 0) say("orphan state", customerId, null, { shard: seen.shard });
    if (typeof state === "string") {
      say("state that can't be read", customerId, null, state);
      continue;
    }
    const change = chains.get(customerId)?.at(-1)?.change ?? null;
    const published = state.published?.classification ?? null;
    if (!isDeepStrictEqual(published, change?.current ?? null))
      say("state says another classification was published", customerId, change?.current ?? null, published);
    const customer = loadCustomer(state, policy);
    const deadline = nextDeadline(customer, policy);
    const score = seen.deadlines.get(customerId) ?? null;
    if (score !== deadline) say("wrong deadline", customerId, deadline, score);
    if (score !== null && score <= appliedThrough)
      say("deadline not applied", customerId, `after ${appliedThrough}`, score);
    const through = Math.max(throughFor(seen.clock, customerId) ?? -Infinity, truth.newestOf(customerId));
    const expected = truth.timelineOf(customerId, through);
    const found = timeline(customer, instant(through), policy);
    if (!isDeepStrictEqual(found, expected)) {
      const index = expected.findIndex((transition, i) => !isDeepStrictEqual(transition, found[i]));
      say(
        "state differs from the truth",
        customerId,
        expected[index] ?? { end: expected.length },
        found[index] ?? { end: found.length },
      );
    }
  }
  for (const [customerId] of seen.deadlines) {
    if (!seen.states.has(customerId))
      say("orphan deadline", customerId, null, seen.deadlines.get(customerId));
  }
  for (const [customerId, page] of seen.chunks) {
    const pages = seen.pages.get(customerId);
    if (pages === undefined || page < pages[0] || page >= pages[1])
      say("orphan page", customerId, pages ?? null, page);
  }
}
