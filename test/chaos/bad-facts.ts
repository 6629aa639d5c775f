import { Random } from "../../src/app/simulation/random.ts";
import type { OrderPlaced } from "../../src/domain/events.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import type { PlannedFact } from "./facts.ts";

const HOUR_MS = 3_600_000;

/** A record that has to be refused (S2.3), and what has to come before it, if anything. Each has a customer of its own. */
export function badFactAt(at: number, startedAt: number, index: number, random: Random): PlannedFact[] {
  const customerId = `B-${index}`;
  const good = (over: Partial<OrderPlaced> = {}): OrderPlaced => ({
    topic: "orders",
    kind: "PLACED",
    eventId: `bad-${index}`,
    customerId,
    occurredAt: instant(Math.floor(startedAt + at - DAY_MS)),
    orderId: `bad-${index}`,
    revision: 0,
    amountMinor: 4_990,
    currency: "EUR",
    costMinor: 2_000,
    units: 1,
    categories: ["tea"],
    dueAt: null,
    referredBy: null,
    ...over,
  });
  const base = { at, customerId };
  const kinds: (() => PlannedFact[])[] = [
    () => [
      {
        ...base,
        event: null,
        refused: "undecodable",
        wire: {
          kind: "bytes",
          value: Buffer.from(Array.from({ length: random.integer([0, 40]) }, () => 255)),
        },
      },
    ],
    () => [{ ...base, event: good(), refused: "unknown_schema", wire: { kind: "schema", id: 9_999_999 } }],
    () => [
      { ...base, event: good(), refused: "missing_key", wire: { kind: "key", key: `${customerId}-other` } },
    ],
    () => [{ ...base, event: good({ amountMinor: -1 }), refused: "invalid_field" }],
    () => [{ ...base, event: good({ orderId: "" }), refused: "invalid_field" }],
    () => [{ ...base, event: good({ currency: "XXX" }), refused: "unknown_currency" }],
    () => [
      {
        ...base,
        refused: "invalid_scale",
        event: {
          topic: "surveys",
          eventId: `bad-${index}`,
          customerId,
          occurredAt: instant(Math.floor(startedAt + at - DAY_MS)),
          surveyId: `bad-${index}`,
          score: 0,
          scaleMin: 1,
          scaleMax: 10,
          revision: 0,
        },
      },
    ],
    () => [
      {
        ...base,
        event: good({ occurredAt: instant(Math.floor(startedAt + at + 24 * HOUR_MS)) }),
        refused: "future_event",
      },
    ],
    () => [{ ...base, event: good({ occurredAt: instant(Date.UTC(1980, 0)) }), refused: "invalid_time" }],
    // A fact of last week, and then one from before the horizon.
    () => [
      { ...base, event: good({ eventId: `good-${index}`, orderId: `good-${index}` }), refused: null },
      {
        ...base,
        event: good({ occurredAt: instant(Math.floor(startedAt + at - 1200 * DAY_MS)) }),
        refused: "too_late",
      },
    ],
  ];
  return random.pick(kinds)();
}
