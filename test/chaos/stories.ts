import { Random } from "../../src/app/simulation/random.ts";
import type { SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import type { Inquiry, OrderPlaced, Survey } from "../../src/domain/events.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";

/** A fact of a story, sent so long after the story begins. */
export interface Told {
  readonly afterMs: number;
  readonly event: SimulatedEvent;
}

export interface StoryOf {
  readonly customerId: string;
  /** The instant at which it begins. */
  readonly nowAt: number;
  readonly random: Random;
}

type Story = (of: StoryOf) => Told[];

/** A deadline comes so long after the story begins, and the next fact so long after the deadline. */
const DEADLINE_MS = [4_000, 25_000] as const;
const AFTERWARDS_MS = [2_000, 15_000] as const;
const CATEGORIES = ["tea", "coffee", "cups", "sweets"] as const;

/**
 * Lives whose facts all come in the order in which they happen, on one topic, and of which no deadline falls between a fact and its
 * arrival, however long servers are away: their list of changes is the reference's, to the last one.
 */
export const STORIES = {
  pick(random: Random): Story {
    const draw = random.fraction();
    if (draw < 0.3) return lapses;
    if (draw < 0.45) return loosesInterest;
    if (draw < 0.6) return isOverdue;
    if (draw < 0.7) return forgetsGrudge;
    if (draw < 0.99) return buysOften;
    return buysInBulk;
  },
};

/** ACTIVE for 180 days from its only order (S4.3), which end in the middle of the run; some buy again. */
function lapses({ customerId, nowAt, random }: StoryOf): Told[] {
  const deadlineMs = random.integer([...DEADLINE_MS]);
  const first = order(customerId, 1, nowAt + deadlineMs - 180 * DAY_MS, random);
  if (random.chance(0.5)) return [{ afterMs: 0, event: first }];
  const afterMs = deadlineMs + random.integer([...AFTERWARDS_MS]);
  return [
    { afterMs: 0, event: first },
    { afterMs, event: order(customerId, 2, nowAt + afterMs, random) },
  ];
}

/** POTENTIAL for 90 days from an inquiry (S3.9). */
function loosesInterest({ customerId, nowAt, random }: StoryOf): Told[] {
  const deadlineMs = random.integer([...DEADLINE_MS]);
  const inquiry = (number: number, at: number): Inquiry => ({
    topic: "inquiries",
    eventId: `${customerId}-i${number}`,
    customerId,
    occurredAt: instant(Math.floor(at)),
    inquiryId: `${customerId}-i${number}`,
    kind: random.pick(["INFORMATION", "QUOTE", "VISIT"] as const),
    revision: 0,
    handlingCostMinor: 0,
    currency: "EUR",
  });
  const told = [{ afterMs: 0, event: inquiry(1, nowAt + deadlineMs - 90 * DAY_MS) }];
  const afterMs = deadlineMs + random.integer([...AFTERWARDS_MS]);
  if (random.chance(0.5)) told.push({ afterMs, event: inquiry(2, nowAt + afterMs) });
  return told;
}

/** An invoice becomes overdue 60 days after it is due (S3.7); some pay then. */
function isOverdue({ customerId, nowAt, random }: StoryOf): Told[] {
  const deadlineMs = random.integer([...DEADLINE_MS]);
  const dueAt = instant(Math.floor(nowAt + deadlineMs - 60 * DAY_MS));
  const placed: OrderPlaced = { ...order(customerId, 1, dueAt - 14 * DAY_MS, random), dueAt };
  const told: Told[] = [{ afterMs: 0, event: placed }];
  const afterMs = deadlineMs + random.integer([...AFTERWARDS_MS]);
  if (random.chance(0.6)) {
    const { orderId } = placed;
    const occurredAt = instant(Math.floor(nowAt + afterMs));
    const event = { topic: "orders", kind: "PAID", orderId, customerId, occurredAt, revision: 0 } as const;
    told.push({ afterMs, event: { ...event, eventId: `${orderId}-paid` } });
  }
  return told;
}

/** A bad survey counts for a year (S3.6). */
function forgetsGrudge({ customerId, nowAt, random }: StoryOf): Told[] {
  const deadlineMs = random.integer([...DEADLINE_MS]);
  const event: Survey = {
    topic: "surveys",
    eventId: `${customerId}-s1`,
    customerId,
    occurredAt: instant(Math.floor(nowAt + deadlineMs - 365 * DAY_MS)),
    surveyId: `${customerId}-s1`,
    score: random.integer([0, 6]),
    scaleMin: 0,
    scaleMax: 10,
    revision: 0,
  };
  return [{ afterMs: 0, event }];
}

/** Some weeks of purchases at once, then live ones that are amended, paid, cancelled and refunded. */
function buysOften(of: StoryOf): Told[] {
  return purchases(of, of.random.integer([1, 6]), of.random.integer([1, 6]));
}

/** Enough orders that the state has pages (A7). */
function buysInBulk(of: StoryOf): Told[] {
  return purchases(of, 40, 4);
}

function purchases({ customerId, nowAt, random }: StoryOf, past: number, live: number): Told[] {
  const told: Told[] = [];
  const orders: OrderPlaced[] = [];
  const firstAt = nowAt - 24 * DAY_MS;
  for (let i = 0; i < past; i++) {
    const at = firstAt + (i * 23 * DAY_MS) / past + random.integer([0, 3_600_000]);
    const placed = order(customerId, orders.length + 1, at, random);
    orders.push(placed);
    told.push({ afterMs: 0, event: placed });
  }
  let afterMs = random.integer([1_000, 8_000]);
  for (let i = 0; i < live; i++) {
    const at = instant(Math.floor(nowAt + afterMs));
    const former = random.pick(orders);
    const base = {
      topic: "orders",
      customerId,
      occurredAt: at,
      orderId: former.orderId,
      eventId: `${customerId}-x${i}`,
      revision: 0,
    } as const;
    const kinds: (() => SimulatedEvent)[] = [
      () => {
        const placed = order(customerId, orders.length + 1, at, random);
        orders.push(placed);
        return placed;
      },
      () => ({ ...former, ...base, revision: i + 1, amountMinor: random.integer([1_000, 60_000]) }),
      () => ({ ...base, kind: "PAID" }),
      () => ({ ...base, kind: "CANCELLED" }),
      () => ({
        ...base,
        kind: "REFUNDED",
        refundId: `${customerId}-r${i}`,
        amountMinor: random.integer([100, 30_000]),
      }),
    ];
    told.push({ afterMs, event: random.pick([kinds[0]!, ...kinds])() });
    afterMs += random.integer([500, 8_000]);
  }
  return told;
}

function order(customerId: string, number: number, at: number, random: Random): OrderPlaced {
  const amountMinor = random.integer([1_000, 40_000]);
  return {
    topic: "orders",
    kind: "PLACED",
    eventId: `${customerId}-o${number}`,
    customerId,
    occurredAt: instant(Math.floor(at)),
    orderId: `${customerId}-o${number}`,
    revision: 0,
    amountMinor,
    currency: "EUR",
    costMinor: Math.round(amountMinor * random.between([0.3, 1.2])),
    units: random.integer([1, 5]),
    categories: random.shuffled(CATEGORIES).slice(0, random.integer([1, 3])),
    dueAt: null,
    referredBy: null,
  };
}
