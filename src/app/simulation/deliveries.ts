import { DAY_MS, instant, type Instant } from "../../shared/instant.ts";
import type { Member } from "./cast.ts";
import { EarliestFirst } from "./earliest-first.ts";
import { Random, type Range } from "./random.ts";
import type { SimulatedEvent } from "./simulate.ts";

/** An event on its way to the shop's log. */
export interface Delivery {
  readonly event: SimulatedEvent;
  /** When it reaches the log; ≥ `occurredAt`. */
  readonly at: Instant;
  /** late: later than facts that happened after it; again: the same event a second time. */
  readonly kind: "prompt" | "late" | "again";
}

/** Even a good system sends some facts late and some twice. */
const LATE_CHANCE = 0.006;
const LATE_DAYS: Range = [1, 6];
const AGAIN_CHANCE = 0.015;
const AGAIN_DAYS: Range = [0, 3];
/** A source of randomness of its own, apart from the cast's and the customers'. */
const DELIVERY_STREAM = -2;

/**
 * How simulated events arrive: most at once, some days late, some twice. In order of arrival; what is
 * under way when the events end still comes, at its time. Memory is O(events that are under way).
 */
export function* deliveriesOf(
  events: Iterable<SimulatedEvent>,
  cast: readonly Member[],
  seed: number,
): Generator<Delivery> {
  const random = new Random(seed, DELIVERY_STREAM);
  const tardy = new Map(
    cast.flatMap(({ customerId, persona }) =>
      persona.arrivesLateDays === undefined ? [] : [[customerId, persona.arrivesLateDays] as const],
    ),
  );
  const underWay = new EarliestFirst<Delivery>();
  let rank = 0;
  const send = (event: SimulatedEvent, at: number, kind: Delivery["kind"]): void => {
    underWay.add(at, rank++, { event, at: instant(Math.round(at)), kind });
  };
  for (const event of events) {
    while (underWay.nextAt < event.occurredAt) yield* taken(underWay);
    // An erasure is never late here: it would take back what was told since, and the show could not say why.
    const isErasure = event.topic === "customers" && event.kind === "ERASED";
    const lateDays = tardy.get(event.customerId);
    const isLate = !isErasure && (lateDays !== undefined || random.chance(LATE_CHANCE));
    const lateMs = isLate ? random.between(lateDays ?? LATE_DAYS) * DAY_MS : 0;
    const at = event.occurredAt + lateMs;
    send(event, at, isLate ? "late" : "prompt");
    if (!isErasure && random.chance(AGAIN_CHANCE))
      send(event, at + random.between(AGAIN_DAYS) * DAY_MS + 1, "again");
  }
  while (underWay.size > 0) yield* taken(underWay);
}

function* taken(underWay: EarliestFirst<Delivery>): Generator<Delivery> {
  const delivery = underWay.take();
  if (delivery !== undefined) yield delivery;
}
