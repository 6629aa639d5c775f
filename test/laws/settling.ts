import fc from "fast-check";
import { DAY, history, SHORT_MEMORY } from "./histories.ts";
import type { Fact } from "./reference-facts.ts";

export const SETTLING_DAYS = 4000;
const HORIZON = SHORT_MEMORY.policy.horizonMs;

/** Facts of eleven years, each up to two years late, and now and then too late by a millisecond. */
export const settlingArrivals: fc.Arbitrary<Fact[]> = fc
  .tuple(
    history(SETTLING_DAYS, 24),
    fc.array(fc.constantFrom(0, 0, 0, 0, 1, 20 * DAY, 400 * DAY, HORIZON, HORIZON + 1, HORIZON + 50 * DAY), {
      minLength: 40,
      maxLength: 40,
    }),
  )
  .map(([events, delays]) =>
    events
      .filter((event): event is Fact => event.topic !== "referrals")
      .map((event, i) => ({ event, arrivesAt: event.occurredAt + delays[i % delays.length]! }))
      .sort((a, b) => a.arrivesAt - b.arrivesAt || (a.event.eventId < b.event.eventId ? -1 : 1))
      .map(({ event }) => event),
  );
