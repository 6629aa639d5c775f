import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChangeDraft } from "../../src/domain/change.ts";
import type { Classification } from "../../src/domain/classification.ts";
import { newCustomer } from "../../src/domain/customer.ts";
import type { CustomerEvent } from "../../src/domain/events.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";
import { arrival } from "./arrival.ts";
import { CUSTOMER, DAY, erasableHistory, START, WORLDS } from "./histories.ts";
import { referenceEvaluatedAt, referenceTimeline } from "./reference.ts";
import type { World } from "./reference-view.ts";

type Told = Pick<ChangeDraft, "previous" | "current" | "effectiveAt" | "cause" | "supersedes"> | null;

/** What S7.1 and S7.2 have a shard publish, from the reference alone. */
class ExpectedPublisher {
  readonly #world: World;
  #events: CustomerEvent[] = [];
  #evaluatedAt: number | null = null;
  #published: Classification | null = null;
  /** The id that the engine gave to the last change: what a correction names. */
  #changeId: string | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  arrives(event: Exclude<CustomerEvent, { topic: "referrals" }>, clock: Instant | null): Told[] {
    const at = event.occurredAt;
    const isErasure = event.topic === "customers" && event.kind === "ERASED";
    const isLate = this.#evaluatedAt !== null && at <= this.#evaluatedAt;
    const told: Told[] = [];
    if (isErasure && !isLate) told.push(...this.#transitionsThrough(at - 1));
    this.#events.push(event);
    if (isErasure) {
      told.push(null);
      this.#published = null;
      this.#changeId = null;
    }
    const newest = Math.max(-Infinity, ...this.#kept().map(({ occurredAt }) => occurredAt));
    const limit = Math.max(this.#evaluatedAt ?? -Infinity, newest, clock ?? -Infinity);
    if (isLate || isErasure) told.push(...this.#correction(limit));
    else told.push(...this.#transitionsThrough(limit));
    this.#evaluatedAt =
      this.#kept().length === 0 ? null : referenceEvaluatedAt(this.#events, this.#world, limit);
    return told;
  }

  /** Deadlines up to an instant (S7.1 b). */
  passes(clock: Instant): Told[] {
    if (this.#evaluatedAt === null || clock < this.#evaluatedAt) return [];
    const told = this.#transitionsThrough(clock);
    this.#evaluatedAt = referenceEvaluatedAt(this.#events, this.#world, clock);
    return told;
  }

  /** Takes over the id by which the next correction names what was told last. */
  toldAs(changeId: string | null): void {
    this.#changeId = changeId;
  }

  #kept(): Exclude<CustomerEvent, { topic: "referrals" }>[] {
    const facts = this.#events.filter((event) => event.topic !== "referrals");
    const erasedAt = Math.max(
      -Infinity,
      ...facts
        .filter((event) => event.topic === "customers" && event.kind === "ERASED")
        .map(({ occurredAt }) => occurredAt),
    );
    return facts.filter(({ occurredAt }) => occurredAt > erasedAt);
  }

  #transitionsThrough(limit: number): Told[] {
    const from = this.#evaluatedAt ?? -Infinity;
    return referenceTimeline(this.#events, this.#world, limit)
      .filter(({ at }) => at > from)
      .map(({ at, current, cause }) => {
        const told = { previous: this.#published, current, effectiveAt: at, cause, supersedes: null };
        this.#published = current;
        return told;
      });
  }

  #correction(limit: number): Told[] {
    const last = referenceTimeline(this.#events, this.#world, limit).at(-1);
    if (last === undefined) return [];
    if (JSON.stringify(last.current) === JSON.stringify(this.#published)) return [];
    const told: Told = {
      previous: this.#published,
      current: last.current,
      effectiveAt: last.at,
      cause: { kind: "LATE", ref: last.cause.ref },
      supersedes: this.#changeId,
    };
    this.#published = last.current;
    return [told];
  }
}

describe("what is published (S7.1, S7.2, S8)", () => {
  test("each transition in order, one correction for a late event, a tombstone for an erasure", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...WORLDS),
        arrival(erasableHistory(900, 9)),
        fc.array(fc.option(fc.nat(2000)), { maxLength: 12 }),
        (world, events, clocks) => {
          const options = { policy: world.policy, quiet: false, forget: true };
          const expected = new ExpectedPublisher(world);
          const customer = newCustomer(CUSTOMER);
          let clock: Instant | null = null;
          for (const [i, event] of events.filter(({ topic }) => topic !== "referrals").entries()) {
            if (event.topic === "referrals") continue;
            const day = clocks[i % Math.max(1, clocks.length)] ?? null;
            if (day !== null) clock = instant(Math.max(clock ?? 0, START + day * DAY));
            if (clock !== null && i % 2 === 0) {
              expect(advance(customer, clock, options).map(tell)).toEqual(expected.passes(clock));
              expected.toldAs(customer.state.published?.changeId ?? null);
            }
            const outcome = foldEvent(customer, event, clock, options);
            if (outcome.kind !== "folded") {
              expect(outcome.kind).toBe("skip");
              continue;
            }
            expect(outcome.outputs.map(tell)).toEqual(expected.arrives(event, clock));
            expected.toldAs(customer.state.published?.changeId ?? null);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

function tell(output: ChangeDraft | null): Told {
  if (output === null) return null;
  const { previous, current, effectiveAt, cause, supersedes } = output;
  return { previous, current, effectiveAt, cause, supersedes };
}
