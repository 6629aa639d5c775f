import type { Random } from "../../src/app/simulation/random.ts";
import type { NewRecord } from "../../src/adapters/embedded/embedded-log.ts";
import type { CustomerEvent, OrderPlaced } from "../../src/domain/events.ts";
import { DAY_MS, instant, type Instant } from "../../src/shared/instant.ts";
import type { Plan } from "./plan.ts";

export const START = Date.UTC(2024, 0, 1);
/** With two shards a, b and c are in the first, d and f in the second. */
export const CUSTOMERS = ["a", "b", "c", "d", "f"];
/** An erasure's marker is kept for a while only (S2.5), so who may be named later on is not erased: then every order of arrival has one truth. */
const REFERRERS = ["a", "d"];
/** Long enough for one order's deadlines (S7), short enough to be there when something breaks. */
const JUMPS = [30, 90, 180, 181, 365];
/** No fact is ever settled (S2.4): that is the one place where the order of arrival may matter. */
const LAST_DAY = 1000;

/** Something that happens in the world at one instant: facts, or only time. */
export interface Moment {
  readonly at: Instant;
  /** Nothing is told that happens at this instant: all deadlines up to it may be applied. */
  readonly isLate: boolean;
  readonly records: readonly NewRecord[];
}

export interface Story {
  readonly moments: readonly Moment[];
  /** The facts among the records, in the order in which they are told. */
  readonly facts: readonly CustomerEvent[];
  /** Records that can't be read: each one dead letter. */
  readonly unreadable: number;
}

export function day(days: number): Instant {
  return instant(START + Math.round(days * DAY_MS));
}

/** Draws what customers do. In time: told at its instant, and no customer twice at one. */
export function drawStory(random: Random, plan: Plan): Story {
  return new Teller(random, plan).tell();
}

class Teller {
  readonly #random: Random;
  readonly #plan: Plan;
  readonly #placed: { readonly day: number; readonly order: OrderPlaced }[] = [];
  readonly #facts: CustomerEvent[] = [];
  readonly #erasedOn = new Map<string, number>();
  #ids = 0;
  #unreadable = 0;

  constructor(random: Random, plan: Plan) {
    this.#random = random;
    this.#plan = plan;
  }

  tell(): Story {
    const random = this.#random;
    const moments: Moment[] = [];
    let today = 1;
    const count = random.integer([3, 7]);
    for (let i = 0; i < count && today < LAST_DAY; i++) {
      moments.push({ at: day(today), isLate: false, records: this.#recordsOf(today) });
      if (random.chance(0.4)) {
        // Time passes: deadlines fall due while something may break, and what is told then is of the time before.
        today += random.pick(JUMPS);
        const records = this.#plan.late && random.chance(0.7) ? this.#lateRecordsOf(today) : [];
        moments.push({ at: day(today), isLate: true, records });
      }
      today += random.chance(0.3) ? random.integer([60, 190]) : random.integer([1, 20]);
    }
    return { moments, facts: this.#facts, unreadable: this.#unreadable };
  }

  #recordsOf(today: number): NewRecord[] {
    const random = this.#random;
    const records: NewRecord[] = [];
    // Several customers at one instant: their deadlines will fall on one instant too.
    const number = random.integer([1, 3]);
    for (const customerId of random.shuffled(CUSTOMERS).slice(0, number)) {
      const fact = this.#factOf(customerId, today);
      this.#facts.push(fact);
      const record = recordOf(fact, random.chance(0.1));
      records.push(record);
      if (random.chance(0.05)) records.push(record);
    }
    if (random.chance(0.15)) {
      this.#unreadable++;
      records.push(this.#badRecord(today, random.pick(CUSTOMERS)));
    }
    return records;
  }

  #lateRecordsOf(today: number): NewRecord[] {
    const customerId = this.#random.pick(CUSTOMERS);
    const order = this.#orderOf(customerId, today, `e${this.#ids++}`, true);
    if (order.occurredAt >= day(today)) return [];
    this.#facts.push(order);
    return [recordOf(order, false)];
  }

  #factOf(customerId: string, today: number): CustomerEvent {
    const random = this.#random;
    const common = { eventId: `e${this.#ids++}`, customerId, occurredAt: day(today) };
    if (random.chance(0.05) && !REFERRERS.includes(customerId)) {
      this.#erasedOn.set(customerId, today);
      return { topic: "customers", kind: "ERASED", source: "crm", ...common };
    }
    const former = this.#formerOrderOf(customerId, today);
    if (former !== undefined && random.chance(0.25)) {
      const { orderId } = former;
      return random.chance(0.6)
        ? { topic: "orders", kind: "CANCELLED", orderId, revision: 0, ...common }
        : {
            topic: "orders",
            kind: "REFUNDED",
            orderId,
            refundId: "r",
            revision: 0,
            amountMinor: 9_000,
            ...common,
          };
    }
    if (random.chance(0.12)) {
      const surveyId = `s${this.#ids}`;
      const score = random.pick([2, 9]);
      return { topic: "surveys", surveyId, score, scaleMin: 0, scaleMax: 10, revision: 0, ...common };
    }
    if (random.chance(0.1)) {
      // Known customers stay what they are by it.
      return { topic: "customers", kind: "RECORDED", source: "crm", attributes: { note: "x" }, ...common };
    }
    if (random.chance(0.12)) {
      return {
        topic: "inquiries",
        inquiryId: `q${this.#ids}`,
        kind: "QUOTE",
        revision: 0,
        handlingCostMinor: 0,
        currency: null,
        ...common,
      };
    }
    return this.#orderOf(customerId, today, common.eventId);
  }

  #orderOf(
    customerId: string,
    today: number,
    eventId: string,
    isLate = this.#plan.late && this.#random.chance(0.4),
  ): OrderPlaced {
    const random = this.#random;
    // Nothing is told late of the time before an erasure.
    const earliest = (this.#erasedOn.get(customerId) ?? 0) + 1;
    const on = isLate
      ? Math.max(Math.min(earliest, today), today - random.pick([1, 10, 50, 181, 200, 366]))
      : today;
    const order: OrderPlaced = {
      topic: "orders",
      kind: "PLACED",
      eventId,
      customerId,
      occurredAt: day(on),
      orderId: `o${this.#ids}`,
      revision: 0,
      amountMinor: 10_000,
      currency: null,
      costMinor: 0,
      units: 1,
      categories: [],
      dueAt: null,
      referredBy: this.#plan.referrals && random.chance(0.5) ? random.pick(REFERRERS) : null,
    };
    this.#placed.push({ day: today, order });
    return order;
  }

  #formerOrderOf(customerId: string, today: number): OrderPlaced | undefined {
    const erasedOn = this.#erasedOn.get(customerId) ?? 0;
    const own = this.#placed.filter(
      ({ day: on, order }) => order.customerId === customerId && on > erasedOn && on < today,
    );
    return own.length === 0 ? undefined : this.#random.pick(own).order;
  }

  #badRecord(today: number, customerId: string): NewRecord {
    return {
      topic: this.#random.pick(["orders", "surveys"] as const),
      key: Buffer.from(customerId),
      value: null,
      arrivedAt: day(today),
      headers: [["n", Buffer.from([this.#unreadable])]],
      decoded: { kind: "dead_letter", reason: "undecodable", detail: "not Avro" },
    };
  }
}

/** `encoded`: as bytes that the process has to decode. Facts arrive when they happen, late ones too: only their order counts. */
function recordOf(event: CustomerEvent, encoded: boolean): NewRecord {
  const key = Buffer.from(event.customerId);
  const arrivedAt = event.topic === "referrals" ? null : event.occurredAt;
  const decoded = { kind: "event", event } as const;
  if (!encoded) return { topic: event.topic, key, value: null, arrivedAt, decoded };
  return { topic: event.topic, key, value: Buffer.from(JSON.stringify({ decoded })), arrivedAt };
}
