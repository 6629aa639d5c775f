import { afterEach, describe, expect, it, vi } from "vitest";
import { acceptEvent } from "../../../src/domain/accept.ts";
import { DAY_MS, instant } from "../../../src/shared/instant.ts";
import { castOf, PERSONAS } from "../../../src/app/simulation/cast.ts";
import { deliveriesOf } from "../../../src/app/simulation/deliveries.ts";
import { eventLine } from "../../../src/app/simulation/event-line.ts";
import { simulate } from "../../../src/app/simulation/simulate.ts";

const startAt = instant(Date.UTC(2023, 6, 1));
const options = { seed: 1, customers: 120, startAt, days: 1096 };

afterEach(() => vi.restoreAllMocks());

describe("simulate", () => {
  it("tells the same for the same seed, without clock or other randomness, and something else for another", () => {
    const forbidden = (): never => {
      throw new Error("not pure");
    };
    vi.spyOn(Math, "random").mockImplementation(forbidden);
    vi.spyOn(Date, "now").mockImplementation(forbidden);
    const first = JSON.stringify([...simulate(options)]);
    expect(JSON.stringify([...simulate(options)])).toBe(first);
    expect(JSON.stringify([...simulate({ ...options, seed: 2 })])).not.toBe(first);
  });

  it("tells facts in time order, within the days asked for", () => {
    let last: number = startAt;
    let count = 0;
    for (const { occurredAt } of simulate(options)) {
      expect(occurredAt).toBeGreaterThanOrEqual(last);
      expect(Number.isSafeInteger(occurredAt)).toBe(true);
      last = occurredAt;
      count++;
    }
    expect(last).toBeLessThan(startAt + options.days * DAY_MS);
    expect(last).toBeGreaterThan(startAt + (options.days - 3) * DAY_MS);
    expect(count).toBeGreaterThan(3000);
  });

  it("tells no more of the same life in a longer run: a shorter one is its beginning", () => {
    const long = [...simulate(options)];
    const short = [...simulate({ ...options, days: 300 })];
    expect(long.slice(0, short.length)).toEqual(short);
  });

  it("gives short ids, each event its own", () => {
    const ids = new Set<string>();
    for (const event of simulate(options)) {
      expect(event.customerId).toMatch(/^C-\d{4}$/);
      if (event.topic === "orders") expect(event.orderId).toMatch(/^o\d{5}$/);
      expect(ids.has(event.eventId)).toBe(false);
      ids.add(event.eventId);
    }
  });

  it("tells only facts that are accepted, and writes them as lines of an event file (I2)", () => {
    for (const event of simulate(options)) {
      const line = eventLine(event);
      expect(line.endsWith("}\n")).toBe(true);
      expect(acceptEvent(event.topic, JSON.parse(line))).toEqual({ kind: "event", event });
    }
  });

  it("pays, cancels and refunds only orders that were placed before, and never refunds more than their amount", () => {
    const amounts = new Map<string, number>();
    const closed = { PAID: 0, CANCELLED: 0, REFUNDED: 0 };
    for (const event of simulate(options)) {
      if (event.topic !== "orders") continue;
      if (event.kind === "PLACED") amounts.set(event.orderId, event.amountMinor);
      else {
        expect(amounts.has(event.orderId)).toBe(true);
        closed[event.kind]++;
        if (event.kind === "REFUNDED") {
          expect(event.amountMinor).toBeLessThanOrEqual(amounts.get(event.orderId) ?? 0);
        }
      }
    }
    expect(Math.min(closed.PAID, closed.CANCELLED, closed.REFUNDED)).toBeGreaterThan(20);
  });

  it("tells nothing more of a customer that was erased", () => {
    const erased = new Set<string>();
    for (const event of simulate(options)) {
      expect(erased.has(event.customerId)).toBe(false);
      if (event.topic === "customers" && event.kind === "ERASED") erased.add(event.customerId);
    }
    expect(erased.size).toBeGreaterThan(0);
  });
});

describe("castOf", () => {
  it("gives every persona a member as soon as there are as many customers as personas, and never one too many", () => {
    for (const customers of [PERSONAS.length, PERSONAS.length + 3, 57, 120, 1000]) {
      const cast = castOf({ seed: 3, customers, startAt });
      expect(cast).toHaveLength(customers);
      expect(new Set(cast.map(({ persona }) => persona.name)).size).toBe(PERSONAS.length);
    }
    expect(castOf({ seed: 3, customers: 5, startAt })).toHaveLength(5);
  });

  it("lets some newcomers name a customer who recommends the shop", () => {
    const cast = castOf({ seed: 1, customers: 120, startAt });
    const referrers = new Set(cast.flatMap(({ referredBy }) => referredBy ?? []));
    expect(referrers.size).toBeGreaterThan(1);
    for (const customerId of referrers) {
      expect(cast.find((member) => member.customerId === customerId)?.persona.refers).toBe(true);
    }
  });
});

describe("deliveriesOf", () => {
  const deliveries = [...deliveriesOf(simulate(options), castOf(options), 1)];

  it("delivers every event once in its own right, in order of arrival, never before it happened", () => {
    const first = deliveries.filter(({ kind }) => kind !== "again").map(({ event }) => event.eventId);
    expect(new Set(first)).toEqual(new Set([...simulate(options)].map(({ eventId }) => eventId)));
    expect(first).toHaveLength(new Set(first).size);
    for (const [i, { at, event }] of deliveries.entries()) {
      expect(at).toBeGreaterThanOrEqual(deliveries[i - 1]?.at ?? 0);
      expect(at).toBeGreaterThanOrEqual(event.occurredAt);
    }
  });

  it("delivers some days late and some again, but no erasure", () => {
    const late = deliveries.filter(({ kind }) => kind === "late");
    const again = deliveries.filter(({ kind }) => kind === "again");
    expect(late.length).toBeGreaterThan(50);
    expect(again.length).toBeGreaterThan(30);
    for (const { at, event } of late) expect(at - event.occurredAt).toBeGreaterThanOrEqual(DAY_MS);
    for (const { event } of [...late, ...again]) {
      expect(event.topic === "customers" && event.kind === "ERASED").toBe(false);
    }
  });
});
