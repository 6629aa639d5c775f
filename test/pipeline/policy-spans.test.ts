import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  broughtTo,
  firstDifference,
  firstGrown,
  recorded,
  spansOf,
  wholly,
  type PolicySpan,
  type PolicySpans,
} from "../../src/pipeline/policy-spans.ts";
import type { Migration } from "../../src/pipeline/ports.ts";
import { compareUtf8 } from "../../src/shared/utf8-order.ts";

/** In the order of their UTF-8 bytes, which is not that of JavaScript. */
const IDS = ["a", "b", "ba", "é", "\u{ff5e}", "\u{1f600}"];

const policy = fc.constantFrom("p1", "p2", "p3");
const closedEnds = fc.subarray(IDS.slice(0, -1));

/** Neighbours differ, as everywhere but in what was written formerly. */
const anySpans: fc.Arbitrary<PolicySpans> = closedEnds.chain((ends) =>
  fc.array(policy, { minLength: ends.length + 1, maxLength: ends.length + 1 }).map((policies) => {
    const spans = policies.map((each, i) => ({ policy: each, through: ends[i] ?? null }));
    return spans.filter((span, i) => span.policy !== spans[i + 1]?.policy);
  }),
);

function policyOf(spans: PolicySpans, customerId: string): string {
  const span = spans.find(({ through }) => through === null || compareUtf8(customerId, through) <= 0);
  return span!.policy;
}

function expectSound(spans: PolicySpans): void {
  expect(spans.filter(({ through }) => through === null)).toEqual([spans.at(-1)]);
  for (const [i, { policy: each, through }] of spans.entries()) {
    const next = spans[i + 1];
    if (next === undefined) continue;
    expect(next.policy).not.toBe(each);
    if (next.through !== null) expect(compareUtf8(through!, next.through)).toBeLessThan(0);
  }
}

describe("under which policies the customers of a shard stand", () => {
  test("what is recorded is read back", () => {
    fc.assert(
      fc.property(anySpans, fc.boolean(), (spans, isDoubtful) => {
        const open: PolicySpan = { ...spans.at(-1)!, ...(isDoubtful ? { isDoubtful } : {}) };
        const told = [...spans.slice(0, -1), open];
        expect(spansOf(JSON.parse(JSON.stringify(recorded(told))) as ReturnType<typeof recorded>)).toEqual(
          told,
        );
      }),
    );
  });

  test("brought to a target up to a customer: as the target up to there, as before beyond", () => {
    fc.assert(
      fc.property(anySpans, anySpans, fc.constantFrom(...IDS, null), (before, target, through) => {
        const after = broughtTo(target, through, before);
        expectSound(after);
        for (const id of IDS) {
          const isReached = through === null || compareUtf8(id, through) <= 0;
          expect(policyOf(after, id)).toBe(policyOf(isReached ? target : before, id));
        }
      }),
    );
  });

  test("difference by difference to the target: who stands elsewhere is met once, in order, the others never", () => {
    fc.assert(
      fc.property(anySpans, anySpans, fc.integer({ min: 1, max: 3 }), (before, target, page) => {
        const met: string[] = [];
        let spans = before;
        for (let gap = firstDifference(spans, target); gap !== null; gap = firstDifference(spans, target)) {
          const { after, through, policy: to } = gap;
          const found = IDS.filter((id) => compareUtf8(id, after) > 0).slice(0, page);
          const within = found.filter((id) => through === null || compareUtf8(id, through) <= 0);
          for (const id of within) expect(policyOf(target, id)).toBe(to);
          met.push(...within);
          spans = broughtTo(target, within.length < found.length ? through : (found.at(-1) ?? null), spans);
        }
        expect(spans).toEqual(target);
        expect(met).toEqual(IDS.filter((id) => policyOf(before, id) !== policyOf(target, id)));
      }),
    );
  });

  test("a change of policy adds one span at most, wherever it is interrupted", () => {
    fc.assert(
      fc.property(anySpans, policy, fc.constantFrom(...IDS), (before, to, through) => {
        expect(broughtTo(wholly(to), through, before).length).toBeLessThanOrEqual(before.length + 1);
      }),
    );
  });

  test("the first span grown over the second: one less, and the others stand as they did", () => {
    fc.assert(
      fc.property(
        anySpans.filter(({ length }) => length > 1),
        (before) => {
          const after = firstGrown(before);
          expectSound(after);
          expect(after.length).toBeLessThan(before.length);
          const grownTo = before[1]!.through;
          for (const id of IDS) {
            const isGrown = grownTo === null || compareUtf8(id, grownTo) <= 0;
            expect(policyOf(after, id)).toBe(isGrown ? before[0]!.policy : policyOf(before, id));
          }
        },
      ),
    );
  });
});

describe("written before it was kept what a change had overtaken", () => {
  const former = (to: string, afterCustomerId: string): Migration => ({ to, afterCustomerId });

  test.each([former("p2", ""), former("p2", "b"), former("p1", "b")])(
    "%j over p1: whoever comes after has to be met, even on the way to p1",
    (migrating) => {
      const spans = spansOf({ policy: "p1", migrating });
      for (const id of IDS)
        expect(policyOf(spans, id)).toBe(
          compareUtf8(id, migrating.afterCustomerId) <= 0 ? migrating.to : "p1",
        );
      const onTheWay = broughtTo(wholly("p1"), migrating.afterCustomerId || "a", spans);
      expect(firstDifference(onTheWay, wholly("p1"))).toMatchObject({ through: null, policy: "p1" });
    },
  );

  test("a state that is to come where such a receipt was takes it as it is", () => {
    const target = spansOf({ policy: "p1", migrating: former("p2", "b") });
    expect(firstDifference(target, target)).toBeNull();
    expect(firstDifference([{ policy: "p2", through: "b" }, ...wholly("p1")], target)).toBeNull();
  });
});
