import { describe, expect, test } from "vitest";
import type { CustomerSegment, SegmentChange } from "../../src/domain/change.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import { deduplicated, type Published } from "./outbox-world.ts";
import { CUSTOMERS, runSchedule, truthOf } from "./outbox-schedule.ts";
import { followChains, World } from "./world.ts";

const SEEDS = Array.from({ length: 150 }, (_, i) => i + 1);

const changesIn = (published: readonly Published[]): SegmentChange[] =>
  published.flatMap(({ topic, value }) =>
    topic === "segment-changes" && value !== null ? [JSON.parse(value) as SegmentChange] : [],
  );

/** Whatever has the id of a change is that change, byte for byte: seq, decidedAt and all. */
function expectSameBytes(published: readonly Published[]): void {
  const first = new Map<string, string>();
  for (const { topic, value } of published) {
    if (topic !== "segment-changes" || value === null) continue;
    const { changeId } = JSON.parse(value) as SegmentChange;
    expect(first.get(changeId) ?? value).toBe(value);
    first.set(changeId, value);
  }
}

/** A subscriber that remembers one number a customer: what does not go beyond it is a repeat. */
function bySeq(changes: readonly SegmentChange[]): SegmentChange[] {
  const last = new Map<string, number>();
  return changes.filter(({ customerId, seq }) => {
    if (seq <= (last.get(customerId) ?? -1)) return false;
    last.set(customerId, seq);
    return true;
  });
}

let repeats = 0;

describe("at least once, through an outbox (A4)", () => {
  test.each(SEEDS)("dropping ids that were seen gives what a calm run publishes, seed %i", async (seed) => {
    const plan = { shards: 1, late: false, referrals: false, loss: seed % 3 === 0 };
    const { world, outboxes, facts } = await runSchedule(seed, plan);
    const calm = new World();
    calm.clock.advanceTo(world.clock.now());
    await calm.append(...facts);
    await calm.settle(calm.own());
    await calm.stop();
    const kept = deduplicated(outboxes.published);
    for (const customerId of CUSTOMERS) {
      const idsOf = (
        all: readonly { readonly customerId: string; readonly change: SegmentChange | null }[],
      ) => all.filter((each) => each.customerId === customerId).map(({ change }) => change?.changeId);
      expect(idsOf(kept)).toEqual(idsOf(calm.changes));
    }
    expectSameBytes(outboxes.published);
    followChains(kept);
    expect(bySeq(changesIn(outboxes.published))).toEqual(kept.map(({ change }) => change));
    repeats += changesIn(outboxes.published).length - kept.length;
  });

  test.each(SEEDS)(
    "late facts, erasures, two shards: chains that end in the truth, seed %i",
    async (seed) => {
      const plan = { shards: 2, late: true, referrals: true, loss: seed % 3 === 0 };
      const { world, outboxes, facts } = await runSchedule(seed, plan);
      const kept = deduplicated(outboxes.published);
      const inForce = followChains(kept);
      expect(inForce).toEqual(truthOf(facts, world.clock.now()));
      expectSameBytes(outboxes.published);
      for (const customerId of CUSTOMERS) {
        const shard = partitionOf(Buffer.from(customerId), plan.shards);
        const state = await world.state(customerId, shard);
        expect(state?.published?.classification).toEqual(inForce.get(customerId));
      }
      // Of the compacted topic's records the one with the greatest seq is in force.
      const segments = new Map<string, CustomerSegment>();
      for (const { topic, customerId, value } of outboxes.published) {
        if (topic !== "customer-segments" || value === null) continue;
        const segment = JSON.parse(value) as CustomerSegment;
        if (segment.seq > (segments.get(customerId)?.seq ?? -1)) segments.set(customerId, segment);
      }
      for (const [customerId, classification] of inForce) {
        expect(segments.get(customerId)?.classification).toEqual(classification);
      }
    },
  );

  test("the schedules above did repeat changes", () => {
    expect(repeats).toBeGreaterThan(100);
  });
});
