import { createVirtualClock } from "../../../../src/adapters/embedded/clock.ts";
import type { OrderPlaced, Survey } from "../../../../src/domain/events.ts";
import { Chronicle, type PublishedChange } from "../../../../src/app/demo/chronicle.ts";
import { demoPolicy } from "../../../../src/app/demo/demo-policy.ts";
import { protagonistOf, type Protagonist } from "../../../../src/app/demo/stories/story.ts";
import type { SimulatedEvent } from "../../../../src/app/simulation/simulate.ts";
import { DAY_MS, instant } from "../../../../src/shared/instant.ts";
import { foldEngine } from "../fold-engine.ts";

const ZERO = Date.UTC(2023, 0, 1, 12);
/** Noon of so many days after 2023-01-01. */
export const day = (days: number) => instant(ZERO + days * DAY_MS);

let count = 0;

/** An order of the customer C-1, of €100.00 at half the cost, in three categories. */
export function order(days: number, fields: Partial<OrderPlaced> = {}): OrderPlaced {
  count++;
  return {
    topic: "orders",
    kind: "PLACED",
    eventId: `e${count}`,
    customerId: "C-1",
    occurredAt: day(days),
    orderId: `o${count}`,
    revision: 0,
    amountMinor: 10_000,
    currency: "EUR",
    costMinor: 5_000,
    units: 1,
    categories: ["tea", "coffee", "gifts"],
    dueAt: null,
    referredBy: null,
    ...fields,
  };
}

export function paid(days: number, { orderId }: OrderPlaced): SimulatedEvent {
  return {
    topic: "orders",
    kind: "PAID",
    eventId: `p-${orderId}`,
    customerId: "C-1",
    occurredAt: day(days),
    orderId,
    revision: 0,
  };
}

export function survey(days: number, score: number): Survey {
  return {
    topic: "surveys",
    eventId: `s${days}`,
    customerId: "C-1",
    occurredAt: day(days),
    surveyId: `s${days}`,
    score,
    scaleMin: 0,
    scaleMax: 10,
    revision: 0,
  };
}

export interface Lived {
  readonly protagonist: Protagonist;
  readonly published: readonly PublishedChange[];
}

/** C-1 lives through these facts until noon of a day; `late` ones arrive on another day than theirs. */
export async function lived(
  events: readonly SimulatedEvent[],
  untilDays: number,
  late: readonly { readonly event: SimulatedEvent; readonly arrives: number }[] = [],
): Promise<Lived> {
  const chronicle = new Chronicle();
  const clock = createVirtualClock(day(0));
  const policy = demoPolicy();
  const engine = await foldEngine().start({
    policy,
    clock,
    onCommitted: (output) => chronicle.record(output),
  });
  const arrivals = [
    ...events.map((event) => ({ event, at: event.occurredAt, isLate: false })),
    ...late.map(({ event, arrives }) => ({ event, at: day(arrives), isLate: true })),
  ].toSorted((a, b) => a.at - b.at);
  for (const { event, at, isLate } of arrivals) {
    clock.advanceTo(instant(at - 1));
    await engine.settle();
    chronicle.take(clock.now(), null);
    await engine.append([event]);
    await engine.settle();
    chronicle.take(clock.now(), isLate ? event : null);
  }
  clock.advanceTo(day(untilDays));
  await engine.settle();
  chronicle.take(clock.now(), null);
  const customer = await engine.customer("C-1");
  if (customer === null) throw new Error("C-1 is unknown");
  const published = chronicle.published.get("C-1") ?? [];
  return { published, protagonist: protagonistOf(customer, published, policy, clock.now()) };
}
