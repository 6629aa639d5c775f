import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EarliestFirst } from "../../../src/app/simulation/earliest-first.ts";

describe("EarliestFirst", () => {
  it("gives items out by time, then rank, whatever the order they came in", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.nat(1000)), {
          selector: ([, rank]) => rank,
        }),
        fc.nat(5),
        (items, takenEarly) => {
          const queue = new EarliestFirst<readonly [number, number]>();
          const taken: (readonly [number, number])[] = [];
          const late = items.splice(items.length - Math.min(takenEarly, items.length));
          for (const item of items) queue.add(item[0], item[1], item);
          const expectedFirst = [...items].sort(byTimeThenRank)[0];
          expect(queue.nextAt).toBe(expectedFirst?.[0] ?? Infinity);
          expect(queue.take()).toEqual(expectedFirst);
          for (const item of late) queue.add(item[0], item[1], item);
          for (let item = queue.take(); item !== undefined; item = queue.take()) taken.push(item);
          const rest = [...items.filter((item) => item !== expectedFirst), ...late];
          expect(taken).toEqual(rest.sort(byTimeThenRank));
          expect(queue.size).toBe(0);
        },
      ),
    );
  });
});

function byTimeThenRank(a: readonly [number, number], b: readonly [number, number]): number {
  return a[0] - b[0] || a[1] - b[1];
}
