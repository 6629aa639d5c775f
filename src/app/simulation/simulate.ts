import type { CustomerEvent, Referral } from "../../domain/events.ts";
import { DAY_MS, type Instant } from "../../shared/instant.ts";
import { castOf } from "./cast.ts";
import { CustomerLife, type IdSource } from "./customer-life.ts";
import { EarliestFirst } from "./earliest-first.ts";

/** A fact as a business writes it: every event but the internal ones. */
export type SimulatedEvent = Exclude<CustomerEvent, Referral>;

export interface SimulationOptions {
  /** An integer; equal options give equal events. */
  readonly seed: number;
  readonly customers: number;
  readonly startAt: Instant;
  /** Events happen in [startAt, startAt + days). */
  readonly days: number;
}

/** First numbers of the ids; orders begin where an old shop might be. */
const FIRST_NUMBERS = { order: 81_000, refund: 500, inquiry: 3_000, survey: 700, event: 100_000 } as const;
const PREFIXES = { order: "o", refund: "r", inquiry: "i", survey: "s", event: "e" } as const;

/**
 * Lifelike facts of a shop (B2C) and a wholesale dealer (B2B), in `occurredAt` order across all customers. Pure: no clock, no
 * randomness but the seed's. Memory is O(customers), whatever the number of days.
 */
export function* simulate(options: SimulationOptions): Generator<SimulatedEvent> {
  const endAt = options.startAt + options.days * DAY_MS;
  const ids = countingIds();
  const lives = new EarliestFirst<{ readonly life: CustomerLife; readonly index: number }>();
  for (const member of castOf(options)) {
    const life = new CustomerLife(member, options.seed);
    if (life.nextAt < endAt) lives.add(life.nextAt, member.index, { life, index: member.index });
  }
  for (;;) {
    const first = lives.take();
    if (first === undefined) return;
    yield first.life.tell(ids);
    if (first.life.nextAt < endAt) lives.add(first.life.nextAt, first.index, first);
  }
}

function countingIds(): IdSource {
  const numbers = { ...FIRST_NUMBERS } as Record<keyof typeof FIRST_NUMBERS, number>;
  return { next: (kind) => `${PREFIXES[kind]}${numbers[kind]++}` };
}
