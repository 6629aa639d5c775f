import { castOf } from "../../src/app/simulation/cast.ts";
import { deliveriesOf } from "../../src/app/simulation/deliveries.ts";
import { EarliestFirst } from "../../src/app/simulation/earliest-first.ts";
import { Random } from "../../src/app/simulation/random.ts";
import { simulate, type SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import type { DeadLetterReason } from "../../src/domain/events.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { badFactAt } from "./bad-facts.ts";
import { STORIES } from "./stories.ts";

/** What is to be sent, and when. */
export interface PlannedFact {
  /** Milliseconds since the run began. */
  readonly at: number;
  readonly customerId: string;
  /** null: not even an event. */
  readonly event: SimulatedEvent | null;
  /** Why it has to be refused; null: it is a good one. */
  readonly refused: DeadLetterReason | null;
  /** For those that no event can say: what goes over the wire instead. */
  readonly wire?: BadWire;
}

/** How a bad record differs from a good one. */
export type BadWire =
  | { readonly kind: "bytes"; readonly value: Buffer }
  | { readonly kind: "schema"; readonly id: number }
  | { readonly kind: "key"; readonly key: string };

export interface FactsOptions {
  readonly seed: number;
  /** Instant at which the run begins. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** Customers a second whose facts all come in time, and whose list of changes is known exactly. */
  readonly storiesPerSecond: number;
  /** Facts a second, about, of customers of two years in no order worth the name. */
  readonly mixedPerSecond: number;
}

const MIXED_DAYS = 700;
/** Events of a simulated customer in that time, about. */
const EVENTS_PER_CUSTOMER = 22;
const AGAIN_CHANCE = 0.03;
const BAD_CHANCE = 0.02;

/** Ids say which kind a customer is of. */
export const MIXED_PREFIX = "C-";

/** All facts of a run in the order in which they are sent: a function of the options alone. */
export function* plannedFacts(options: FactsOptions): Generator<PlannedFact> {
  const { seed, durationMs } = options;
  const random = new Random(seed, 11);
  const queue = new EarliestFirst<PlannedFact>();
  let rank = 0;
  const plan = (fact: PlannedFact): void => queue.add(fact.at, rank++, fact);
  const mixed = mixedFacts(options);
  let nextMixed = mixed.next();
  const gapMs = 1000 / options.storiesPerSecond;
  let stories = 0;
  for (let at = 0; at < durationMs; at += gapMs) {
    const told = STORIES.pick(random)({
      customerId: `S-${seed}-${stories}`,
      nowAt: options.startedAt + at,
      random: new Random(seed, 1_000_000 + stories),
    });
    stories++;
    for (const { afterMs, event } of told) {
      const fact = { at: at + afterMs, customerId: event.customerId, event, refused: null };
      if (fact.at > durationMs) continue;
      plan(fact);
      // The very same once more: nobody may notice.
      if (random.chance(AGAIN_CHANCE)) plan({ ...fact, at: fact.at + random.integer([0, 5000]) });
    }
    if (random.chance(BAD_CHANCE * 4))
      for (const bad of badFactAt(at, options.startedAt, stories, random)) plan(bad);
    while (nextMixed.done !== true && nextMixed.value.at <= at) {
      plan(nextMixed.value);
      nextMixed = mixed.next();
    }
    while (queue.nextAt <= at) yield* taken(queue);
  }
  while (nextMixed.done !== true) {
    plan(nextMixed.value);
    nextMixed = mixed.next();
  }
  while (queue.size > 0) yield* taken(queue);
}

function* taken<T>(queue: EarliestFirst<T>): Generator<T> {
  const item = queue.take();
  if (item !== undefined) yield item;
}

/** Two years of a shop, squeezed into the run: most of it comes after deadlines that it should have come before. */
function* mixedFacts({ seed, startedAt, durationMs, mixedPerSecond }: FactsOptions): Generator<PlannedFact> {
  const customers = Math.max(20, Math.ceil(((durationMs / 1000) * mixedPerSecond) / EVENTS_PER_CUSTOMER));
  const begins = instant(startedAt - MIXED_DAYS * DAY_MS);
  const options = { seed, customers, startAt: begins, days: MIXED_DAYS - 7 };
  const scale = durationMs / (MIXED_DAYS * DAY_MS);
  for (const { event, at } of deliveriesOf(simulate(options), castOf(options), seed)) {
    if (at > startedAt) continue;
    yield { at: (at - begins) * scale, customerId: event.customerId, event, refused: null };
  }
}
