import type { OrderPlaced } from "../../domain/events.ts";
import { assertNever } from "../../shared/assert.ts";
import { DAY_MS, instant, type Instant } from "../../shared/instant.ts";
import type { Member } from "./cast.ts";
import { EarliestFirst } from "./earliest-first.ts";
import { CATALOGUE, type Answering, type Asking, type Buying, type Phase, type Rhythm } from "./persona.ts";
import { Random } from "./random.ts";
import type { SimulatedEvent } from "./simulate.ts";

/** Hands out readable ids, unique in a run and rising with time. */
export interface IdSource {
  next(kind: "order" | "refund" | "inquiry" | "survey" | "event"): string;
}

type Plan =
  | { readonly kind: "join" }
  | { readonly kind: "phase"; readonly phase: number }
  | { readonly kind: "buy" | "ask" | "answer"; readonly phase: number }
  | { readonly kind: "follow-up"; readonly tell: (at: Instant, eventId: string) => SimulatedEvent }
  | { readonly kind: "erasure" };

const HOUR_MS = 3_600_000;
/** The shop is open in these hours of the day (UTC). */
const OPENS_MS = 8 * HOUR_MS;
const CLOSES_MS = 20 * HOUR_MS;
const CURRENCY = "EUR";

/**
 * The life of one customer, told fact by fact in time order. It plans only a few steps ahead: its memory does not grow with
 * the length of the run. What it tells depends on the seed and its member alone, but for the ids.
 */
export class CustomerLife {
  readonly #member: Member;
  readonly #random: Random;
  readonly #plans = new EarliestFirst<Plan>();
  readonly #favourites: readonly string[];
  #phase = 0;
  #planned = 0;
  #lastOrderAt = -Infinity;
  #hasOrdered = false;

  constructor(member: Member, seed: number) {
    this.#member = member;
    this.#random = new Random(seed, member.index);
    const { persona, joinsAt } = member;
    this.#favourites = this.#random.shuffled(CATALOGUE).slice(0, this.#random.integer(persona.favourites));
    if (persona.attributes !== null) this.#plan(joinsAt, { kind: "join" });
    this.#plan(joinsAt + HOUR_MS, { kind: "phase", phase: 0 });
    this.#skipToTelling();
  }

  /** When its next fact happens; Infinity: nothing more is planned. */
  get nextAt(): number {
    return this.#plans.nextAt;
  }

  /** Tells the fact of `nextAt`. Throws when there is none. */
  tell(ids: IdSource): SimulatedEvent {
    const at = instant(this.#plans.nextAt);
    const plan = this.#plans.take();
    if (plan === undefined) throw new Error("nothing more is planned");
    const event = this.#eventOf(plan, at, ids);
    this.#skipToTelling();
    return event;
  }

  #plan(at: number, plan: Plan): void {
    this.#plans.add(Math.round(at), this.#planned++, plan);
  }

  /** Takes the plans that tell nothing: beginnings of phases, and habits of phases that are over. */
  #skipToTelling(): void {
    for (;;) {
      const at = this.#plans.nextAt;
      const plan = this.#plans.take();
      if (plan === undefined) return;
      if (plan.kind === "phase") this.#begin(plan.phase, at);
      else if ("phase" in plan && plan.phase !== this.#phase) continue;
      else {
        // First again: nothing else is planned before it, and nothing at the same instant ranks lower.
        this.#plans.add(at, -1, plan);
        return;
      }
    }
  }

  #begin(index: number, at: number): void {
    const phase = this.#member.persona.phases[index];
    if (phase === undefined) return;
    this.#phase = index;
    const { buying, asking, answering, days } = phase;
    if (buying !== undefined)
      this.#planOrder(buying, index, this.#firstOf(buying.rhythm, at, this.#lastOrderAt));
    if (asking !== undefined) this.#planHabit("ask", index, this.#firstOf(asking.rhythm, at, at));
    if (answering !== undefined) this.#planHabit("answer", index, this.#firstOf(answering.rhythm, at, at));
    if (days === undefined) return;
    const endsAt = at + this.#random.between(days) * DAY_MS;
    this.#plan(
      endsAt,
      phase.erasedAtEnd === true ? { kind: "erasure" } : { kind: "phase", phase: index + 1 },
    );
  }

  /** When a habit first comes in a phase: so long after its beginning, or in its usual distance from the last time. */
  #firstOf({ afterDays, everyDays }: Rhythm, beginsAt: number, lastAt: number): number {
    if (afterDays !== undefined) return beginsAt + this.#random.between(afterDays) * DAY_MS;
    const gap = this.#random.between(everyDays ?? [0, 0]) * DAY_MS;
    return Math.max(beginsAt, lastAt === -Infinity ? beginsAt : lastAt + gap);
  }

  #planOrder({ months }: Buying, phase: number, at: number): void {
    this.#planHabit("buy", phase, months === undefined ? at : this.#intoMonths(at, months));
  }

  #planHabit(kind: "buy" | "ask" | "answer", phase: number, at: number): void {
    this.#plan(this.#inOpeningHours(at), { kind, phase });
  }

  #again({ everyDays }: Rhythm, at: number): number | null {
    return everyDays === null ? null : at + this.#random.between(everyDays) * DAY_MS;
  }

  /** The same moment if its month is allowed, else one in the first days of the next month that is. */
  #intoMonths(at: number, months: readonly number[]): number {
    const date = new Date(at);
    for (let ahead = 0; ahead < 12; ahead++) {
      const opensAt = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead);
      if (!months.includes(new Date(opensAt).getUTCMonth() + 1)) continue;
      return ahead === 0 ? at : opensAt + this.#random.between([0, 9]) * DAY_MS;
    }
    return at;
  }

  /** Another time of the same day; never before `at` has come. */
  #inOpeningHours(at: number): number {
    const midnight = Math.floor(at / DAY_MS) * DAY_MS;
    const inHours = midnight + this.#random.integer([OPENS_MS, CLOSES_MS]);
    return inHours > at ? inHours : at + this.#random.integer([60_000, HOUR_MS]);
  }

  get #habits(): Phase {
    return this.#member.persona.phases[this.#phase] ?? {};
  }

  #eventOf(plan: Plan, at: Instant, ids: IdSource): SimulatedEvent {
    const { buying, asking, answering } = this.#habits;
    switch (plan.kind) {
      case "join":
        return this.#join(at, ids);
      case "buy":
        return this.#order(required(buying), plan.phase, at, ids);
      case "ask":
        return this.#inquiry(required(asking), plan.phase, at, ids);
      case "answer":
        return this.#survey(required(answering), plan.phase, at, ids);
      case "follow-up":
        return plan.tell(at, ids.next("event"));
      case "erasure":
        return this.#erasure(at, ids);
      case "phase":
        throw new Error("the beginning of a phase tells nothing");
      default:
        return assertNever(plan);
    }
  }

  #join(occurredAt: Instant, ids: IdSource): SimulatedEvent {
    const { customerId, persona } = this.#member;
    const attributes: Record<string, string> = {};
    for (const [name, values] of Object.entries(persona.attributes ?? {})) {
      attributes[name] = this.#random.pick(values);
    }
    const eventId = ids.next("event");
    return {
      topic: "customers",
      kind: "RECORDED",
      eventId,
      customerId,
      occurredAt,
      source: "crm",
      attributes,
    };
  }

  #erasure(occurredAt: Instant, ids: IdSource): SimulatedEvent {
    while (this.#plans.take() !== undefined);
    const { customerId } = this.#member;
    const eventId = ids.next("event");
    return { topic: "customers", kind: "ERASED", eventId, customerId, occurredAt, source: "crm" };
  }

  #inquiry(
    { rhythm, kinds, handlingCostMinor }: Asking,
    phase: number,
    at: Instant,
    ids: IdSource,
  ): SimulatedEvent {
    const againAt = this.#again(rhythm, at);
    if (againAt !== null) this.#planHabit("ask", phase, againAt);
    return {
      topic: "inquiries",
      eventId: ids.next("event"),
      customerId: this.#member.customerId,
      occurredAt: at,
      inquiryId: ids.next("inquiry"),
      kind: this.#random.pick(kinds),
      revision: 0,
      handlingCostMinor: this.#random.integer(handlingCostMinor),
      currency: CURRENCY,
    };
  }

  #survey({ rhythm, score }: Answering, phase: number, at: Instant, ids: IdSource): SimulatedEvent {
    const againAt = this.#again(rhythm, at);
    if (againAt !== null) this.#planHabit("answer", phase, againAt);
    return {
      topic: "surveys",
      eventId: ids.next("event"),
      customerId: this.#member.customerId,
      occurredAt: at,
      surveyId: ids.next("survey"),
      score: this.#random.integer(score),
      scaleMin: 0,
      scaleMax: 10,
      revision: 0,
    };
  }

  #order(buying: Buying, phase: number, at: Instant, ids: IdSource): SimulatedEvent {
    const random = this.#random;
    const { customerId, persona, referredBy } = this.#member;
    this.#lastOrderAt = at;
    const againAt = this.#again(buying.rhythm, at);
    if (againAt !== null) this.#planOrder(buying, phase, againAt);
    const amountMinor = random.integer(buying.amountMinor);
    const order: OrderPlaced = {
      topic: "orders",
      kind: "PLACED",
      eventId: ids.next("event"),
      customerId,
      occurredAt: at,
      orderId: ids.next("order"),
      revision: 0,
      amountMinor,
      currency: CURRENCY,
      costMinor: Math.round(amountMinor * random.between(buying.costShare)),
      units: random.integer([1, 6]),
      categories: random.shuffled(this.#favourites).slice(0, random.integer([1, 3])),
      dueAt: persona.termsDays === undefined ? null : instant(at + persona.termsDays * DAY_MS),
      referredBy: this.#hasOrdered ? null : referredBy,
    };
    this.#hasOrdered = true;
    this.#planFollowUps(order, buying, ids);
    return order;
  }

  /** What becomes of an order: cancelled, sent back, or paid. */
  #planFollowUps(order: OrderPlaced, buying: Buying, ids: IdSource): void {
    const random = this.#random;
    const { customerId, orderId, occurredAt: placedAt, amountMinor } = order;
    const base = { topic: "orders", customerId, orderId, revision: 0 } as const;
    const fate = random.fraction();
    const { cancelled = 0, returned = 0, partlyReturned = 0 } = buying;
    if (fate < cancelled) {
      this.#plan(placedAt + random.integer([HOUR_MS, DAY_MS]), {
        kind: "follow-up",
        tell: (occurredAt, eventId) => ({ ...base, kind: "CANCELLED", eventId, occurredAt }),
      });
      return;
    }
    if (fate < cancelled + returned + partlyReturned) {
      const isWhole = fate < cancelled + returned;
      const refundMinor = isWhole ? amountMinor : Math.round(amountMinor * random.between([0.2, 0.6]));
      this.#plan(this.#inOpeningHours(placedAt + random.between([6, 16]) * DAY_MS), {
        kind: "follow-up",
        tell: (occurredAt, eventId) => ({
          ...base,
          kind: "REFUNDED",
          eventId,
          occurredAt,
          refundId: ids.next("refund"),
          amountMinor: refundMinor,
        }),
      });
      if (isWhole) return;
    }
    const { paidAfterDueDays } = this.#habits;
    if (order.dueAt === null || paidAfterDueDays === undefined) return;
    this.#plan(this.#inOpeningHours(order.dueAt + random.between(paidAfterDueDays) * DAY_MS), {
      kind: "follow-up",
      tell: (occurredAt, eventId) => ({ ...base, kind: "PAID", eventId, occurredAt }),
    });
  }
}

function required<T>(habit: T | undefined): T {
  if (habit === undefined) throw new Error("a habit is planned only in a phase that has it");
  return habit;
}
