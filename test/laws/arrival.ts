import fc from "fast-check";
import type { CustomerEvent } from "../../src/domain/events.ts";

/**
 * An order of arrival with repeats. Referrals alone keep their order: one shard writes all upserts of an order to one partition,
 * each once (A4, A6).
 */
export function arrival(events: fc.Arbitrary<CustomerEvent[]>): fc.Arbitrary<CustomerEvent[]> {
  return events.chain((list) =>
    fc
      .tuple(
        fc.shuffledSubarray(list, { minLength: list.length }),
        fc.array(fc.nat(list.length - 1), { maxLength: 4 }),
      )
      .map(([shuffled, repeats]) => {
        const referrals = list.filter((event) => event.topic === "referrals");
        const arrived = shuffled.map((event) => (event.topic === "referrals" ? referrals.shift()! : event));
        return [
          ...arrived,
          ...repeats.map((i) => arrived[i]!).filter((event) => event.topic !== "referrals"),
        ];
      }),
  );
}
