import { describe, expect, test } from "vitest";
import type { Cause } from "../../src/domain/change.ts";
import { dueOf, dueWithin } from "./latency-meter.ts";
import { dueAt, loadEvents, numberOf } from "./load-source.ts";

const LOAD = { seed: 7, begunAt: 1_800_000_000_000, eventsPerSecond: 1_500 };

describe("the mix of a steady load", () => {
  const events = loadEvents(
    { kind: "mix", customers: 50, seed: LOAD.seed },
    LOAD.begunAt,
    LOAD.eventsPerSecond,
  );
  const first = Array.from({ length: 3_000 }, () => {
    const { value } = events.next() as IteratorYieldResult<{ eventId: string; occurredAt: number }>;
    return value;
  });

  test("has each event happen when it is due, at the rate", () => {
    expect(first.map(({ occurredAt }) => occurredAt)).toEqual(
      first.map((_, i) => dueAt(LOAD.begunAt, LOAD.eventsPerSecond, i)),
    );
    expect(dueAt(LOAD.begunAt, LOAD.eventsPerSecond, 3_000)).toBe(LOAD.begunAt + 2_000);
  });

  test("has ids from which the event's number follows, of this load alone", () => {
    expect(first.map(({ eventId }) => numberOf(eventId, LOAD.seed))).toEqual(first.map((_, i) => i));
    expect(first.filter(({ eventId }) => numberOf(eventId, LOAD.seed + 1) !== null)).toEqual([]);
  });
});

describe("a change's latency", () => {
  const of = (cause: Cause): number | null => dueOf({ cause }, LOAD);

  test("counts from when its event was due", () => {
    const eventId = "live-7-e3000";
    expect(of({ kind: "EVENT", ref: { topic: "orders", eventId } })).toBe(LOAD.begunAt + 2_000);
    expect(of({ kind: "LATE", ref: { topic: "surveys", eventId } })).toBe(LOAD.begunAt + 2_000);
  });

  test("is none where a deadline, or an event of before, was the cause", () => {
    expect(of({ kind: "DEADLINE", ref: "lapse" })).toBeNull();
    expect(of({ kind: "EVENT", ref: { topic: "orders", eventId: "e3000" } })).toBeNull();
    expect(of({ kind: "POLICY", ref: null })).toBeNull();
  });

  test("belongs to the time in which its event was due, not to that in which it was seen", () => {
    const latencies = [
      { dueAt: 99, latencyMs: 1 },
      { dueAt: 100, latencyMs: 500 },
      { dueAt: 199, latencyMs: 2 },
      { dueAt: 200, latencyMs: 3 },
    ];
    expect(dueWithin(latencies, 100, 200)).toEqual([500, 2]);
  });
});
