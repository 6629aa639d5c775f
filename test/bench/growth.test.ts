import { describe, expect, test } from "vitest";
import { newCustomer, type Customer } from "../../src/domain/customer.ts";
import { foldEvent, nextDeadline } from "../../src/domain/fold.ts";
import type { SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import { POLICY } from "./folded.ts";
import { burstEvents, historyEvents, historyUpToNow } from "./growth-events.ts";
import { figuresIn } from "./found-figures.ts";
import { compared, type SizeFigures } from "./growth.ts";

const SHORT = { ordersEach: 2, days: 100 };

/** Folds events with all that comes of them; returns how many changes that were. */
function foldAll(customers: Map<string, Customer>, events: Iterable<SimulatedEvent>): number {
  let changes = 0;
  for (const event of events) {
    const customer = customers.get(event.customerId) ?? newCustomer(event.customerId);
    customers.set(event.customerId, customer);
    const outcome = foldEvent(customer, event, null, { policy: POLICY, quiet: false, forget: true });
    if (outcome.kind !== "folded") throw new Error(outcome.kind);
    changes += outcome.outputs.length;
  }
  return changes;
}

describe("a burst is as much work whatever the number of customers", () => {
  test.each([
    ["many customers, seldom", 4_000, 1_000],
    ["each customer some times", 400, 4_000],
    ["few customers, very often", 40, 4_000],
  ])("%s: one change of four events", (_, customers, events) => {
    const now = Date.now();
    const history = historyUpToNow({ ...SHORT, customers }, 2 * events);
    const folded = new Map<string, Customer>();
    foldAll(folded, historyEvents(history));
    expect(folded.size).toBe(customers);

    for (const first of [0, events]) {
      const burst = [...burstEvents({ history, first, events })];
      expect(foldAll(folded, burst)).toBe(events / 4);
      expect(Math.max(...burst.map(({ occurredAt }) => occurredAt))).toBeLessThan(now);
    }
    // No deadline is due that would change somebody between two bursts.
    const deadlines = [...folded.values()].map((customer) => nextDeadline(customer, POLICY) ?? Infinity);
    expect(Math.min(...deadlines)).toBeGreaterThan(now);
  });

  test("everybody comes once in a round, whatever the number", () => {
    for (const customers of [7_919, 1_000, 12]) {
      const history = historyUpToNow({ ...SHORT, customers }, customers);
      const burst = [...burstEvents({ history, first: 0, events: customers })];
      expect(new Set(burst.map(({ customerId }) => customerId)).size).toBe(customers);
    }
  });
});

function found(eventsPerSecond: number, all: number): SizeFigures {
  const rest = { busyShare: 1, processorPeakMiB: 1, changesPerEvent: 0.25, cacheHitShare: 0 };
  return {
    eventsPerCustomer: { history: 2, burst: 5 },
    bursts: { asConfigured: { eventsPerSecond, cpuMicrosPerEvent: { processor: 1, all }, ...rest } },
  };
}

test.each(["customers", "partitions", "years"])(
  "a result by %s has only figures that are declared",
  (axis) => {
    const line = { bySize: compared(new Map([[100_000, found(50, 20)]]), 100_000) };
    expect(
      figuresIn(`growth-${axis}`, line).map(({ figure, key, value }) => [figure.title, key, value]),
    ).toEqual([
      ["rate", "100000, asConfigured", 50],
      ["rate, of the base's", "100000, asConfigured", 1],
      ["CPU an event, all processes", "100000, asConfigured", 20],
      ["CPU, of the base's", "100000, asConfigured", 1],
      ["share of the cores that was busy", "100000, asConfigured", 1],
      ["peak memory of the processor", "100000, asConfigured", 1],
    ]);
  },
);

test("sizes are compared with the base, or with the first where the base is not among them", () => {
  const measured = new Map([
    [10, found(50, 20)],
    [100, found(40, 25)],
  ]);
  const ofBase = (base: number): unknown => compared(measured, base);
  expect(ofBase(100)).toMatchObject({
    10: { asConfigured: { ofBase: { eventsPerSecond: 1.25, cpuMicrosPerEvent: 0.8 } } },
    100: {
      eventsPerCustomer: { history: 2, burst: 5 },
      asConfigured: { eventsPerSecond: 40, ofBase: { eventsPerSecond: 1, cpuMicrosPerEvent: 1 } },
    },
  });
  expect(ofBase(1_000)).toMatchObject({
    100: { asConfigured: { ofBase: { eventsPerSecond: 0.8, cpuMicrosPerEvent: 1.25 } } },
  });
});
