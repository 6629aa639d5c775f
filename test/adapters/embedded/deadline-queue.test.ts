import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DeadlineQueue } from "../../../src/adapters/embedded/deadline-queue.ts";
import { instant } from "../../../src/shared/instant.ts";

const id = fc.constantFrom("a", "b", "é", "ﬀ", "\u{1f600}", "\u{1f600}a", "ab", "", "\uffff");
const step = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), id, at: fc.option(fc.integer({ min: 0, max: 5 })) }),
  fc.record({ kind: fc.constant("due" as const), upTo: fc.integer({ min: -1, max: 6 }), limit: fc.nat(6) }),
);

describe("deadline queue", () => {
  test("answers as a sorted list would, whatever was asked before", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new DeadlineQueue();
        const model = new Map<string, number>();
        const inOrder = (): [string, number][] =>
          [...model].sort(([x, a], [y, b]) => a - b || Buffer.compare(Buffer.from(x), Buffer.from(y)));
        for (const next of steps) {
          if (next.kind === "set") {
            queue.set(next.id, next.at === null ? null : instant(next.at));
            if (next.at === null) model.delete(next.id);
            else model.set(next.id, next.at);
          } else {
            const expected = inOrder().filter(([, at]) => at <= next.upTo);
            const found = queue
              .due(instant(next.upTo), next.limit)
              .map(({ customerId, at }) => [customerId, at]);
            expect(found).toEqual(expected.slice(0, next.limit));
          }
          expect(queue.next()).toBe(inOrder()[0]?.[1] ?? null);
          expect(queue.size).toBe(model.size);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("does not grow with how often deadlines move", () => {
    const queue = new DeadlineQueue();
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 100; i++) queue.set(`c${i}`, instant(1000 * round + i));
    }
    expect(queue.entries).toBeLessThan(2 * 100 + 1100);
    expect(queue.due(instant(1e12), 3)).toEqual(
      [0, 1, 2].map((i) => ({ customerId: `c${i}`, at: 199_000 + i })),
    );
  });
});
