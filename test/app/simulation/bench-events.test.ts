import { describe, expect, it } from "vitest";
import { acceptEvent } from "../../../src/domain/accept.ts";
import { DAY_MS, instant } from "../../../src/shared/instant.ts";
import { benchEvents } from "../../../src/app/simulation/bench-events.ts";

const startAt = instant(Date.UTC(2022, 0, 1));
const options = { seed: 7, customers: 5_000, events: 50_000, startAt, years: 3 };

describe("benchEvents", () => {
  it("is deterministic for a seed", () => {
    const first = JSON.stringify([...benchEvents(options)]);
    expect(JSON.stringify([...benchEvents(options)])).toBe(first);
    expect(JSON.stringify([...benchEvents({ ...options, seed: 8 })])).not.toBe(first);
  });

  it("gives as many events as asked for, in time order, over all the years", () => {
    const events = [...benchEvents(options)];
    expect(events).toHaveLength(options.events);
    let last = 0;
    for (const event of events) {
      expect(event.occurredAt).toBeGreaterThanOrEqual(last);
      last = event.occurredAt;
    }
    const endAt = startAt + 3 * 365 * DAY_MS;
    expect(last).toBeLessThan(endAt);
    expect(last).toBeGreaterThan(endAt - DAY_MS);
  });

  it("keeps the mix: 85 % orders, 6 % what becomes of them, 6 % inquiries, 2 % surveys, 1 % register", () => {
    const counts: Record<string, number> = {};
    for (const event of benchEvents(options)) {
      const kind = event.topic === "orders" && event.kind !== "PLACED" ? "closings" : event.topic;
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    const share = (kind: string): number => (counts[kind] ?? 0) / options.events;
    expect(share("orders")).toBeCloseTo(0.85, 2);
    expect(share("closings")).toBeCloseTo(0.06, 2);
    expect(share("inquiries")).toBeCloseTo(0.06, 2);
    expect(share("surveys")).toBeCloseTo(0.02, 2);
    expect(share("customers")).toBeCloseTo(0.01, 2);
  });

  it("closes only orders of the same customer placed before, and gives only acceptable events with ids of their own", () => {
    const owners = new Map<string, string>();
    const ids = new Set<string>();
    for (const event of benchEvents(options)) {
      expect(acceptEvent(event.topic, event)).toEqual({ kind: "event", event });
      expect(event.customerId).toMatch(/^c\d{6}$/);
      ids.add(event.eventId);
      if (event.topic !== "orders") continue;
      if (event.kind === "PLACED") owners.set(event.orderId, event.customerId);
      else expect(owners.get(event.orderId)).toBe(event.customerId);
    }
    expect(ids.size).toBe(options.events);
  });

  it("is cheap: a million events a second, in the best of five tries", () => {
    const events = 200_000;
    let best = 0;
    for (let i = 0; i < 5; i++) {
      const startedAt = performance.now();
      let count = 0;
      for (const event of benchEvents({ ...options, events })) count += event.customerId === "" ? 0 : 1;
      best = Math.max(best, (1000 * count) / (performance.now() - startedAt));
    }
    expect(best).toBeGreaterThan(1_000_000);
  });
});
