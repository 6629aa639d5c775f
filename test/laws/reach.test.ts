import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newCustomer } from "../../src/domain/customer.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import { instant } from "../../src/shared/instant.ts";
import { arrival } from "./arrival.ts";
import { CUSTOMER, DAY, erasableHistory, SHORT_MEMORY, START, WORLDS } from "./histories.ts";
import { settlingArrivals } from "./settling.ts";

/** In how many of so many histories each thing happened that a rule of the semantics is about. */
class Reach {
  readonly #counts = new Map<string, number>();
  #seen = new Set<string>();

  see(what: string): void {
    this.#seen.add(what);
  }

  endHistory(): void {
    for (const what of this.#seen) this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    this.#seen = new Set();
  }

  missing(least: Readonly<Record<string, number>>): Record<string, number> {
    const short = Object.entries(least).filter(([what, count]) => (this.#counts.get(what) ?? 0) < count);
    return Object.fromEntries(short.map(([what]) => [what, this.#counts.get(what) ?? 0]));
  }
}

describe("the laws' histories reach the rules that they check", () => {
  test("every rung, value, attention, tag, deadline and kind of change, in a thousand histories", () => {
    const reach = new Reach();
    const histories = fc.sample(fc.tuple(fc.constantFrom(...WORLDS), arrival(erasableHistory(900, 14))), {
      numRuns: 1000,
      seed: 7,
    });
    for (const [{ policy }, events] of histories) {
      const options = { policy, quiet: false, forget: true };
      const customer = newCustomer(CUSTOMER);
      const outputs = events.flatMap((event) => {
        const outcome = foldEvent(customer, event, null, options);
        if (outcome.kind === "skip") reach.see(outcome.reason);
        return outcome.kind === "folded" ? outcome.outputs : [];
      });
      outputs.push(...advance(customer, instant(START + 2400 * DAY), options));
      for (const draft of outputs) {
        if (draft === null) {
          reach.see("tombstone");
          continue;
        }
        const { current, previous, cause, facts, supersedes } = draft;
        for (const what of [current.status, current.stage, current.value, current.attention, ...current.tags])
          reach.see(what);
        reach.see(typeof cause.ref === "string" ? `deadline ${cause.ref}` : cause.kind);
        if (cause.kind === "LATE") reach.see("LATE");
        reach.see(facts.profile);
        if (facts.overdue) reach.see("overdue");
        if (facts.dbtDays > 0) reach.see("paid late");
        if (supersedes !== null) reach.see("supersedes");
        if (previous?.stage === "PATRON" && current.stage === "SPONSOR") reach.see("PATRON to SPONSOR");
        if (previous?.stage === "SPONSOR" && current.stage !== "SPONSOR") reach.see("SPONSOR ends");
      }
      reach.endHistory();
    }
    expect(
      reach.missing({
        ...{ ACTIVE: 500, INACTIVE: 500, POTENTIAL: 40, PROBABLE: 20, UNQUALIFIED: 300 },
        ...{ PROSPECT: 40, TESTER: 500, BUYER: 400, ACCOUNT: 60, PATRON: 30, SPONSOR: 25 },
        ...{ A: 100, B: 200, C: 300, D: 200, INVEST: 100, REVIEW: 150, DIVEST: 150 },
        ...{ ADVOCATE: 150, CURRENT: 250, DETRACTOR: 80, PROMOTER: 100, SEASONAL: 150, SLOW_PAYER: 300 },
        ...{
          "deadline lapse": 300,
          "deadline overdue": 120,
          "deadline window-365d": 400,
          "deadline window-730d": 400,
        },
        ...{
          "deadline interest": 20,
          "deadline survey": 150,
          "deadline tenure": 8,
          "deadline divest-age": 1,
        },
        ...{ LATE: 400, supersedes: 400, tombstone: 80, erased: 60, duplicate: 300 },
        ...{ B2B: 50, KEY: 25, overdue: 300, "paid late": 60, "SPONSOR ends": 20, "PATRON to SPONSOR": 1 },
      }),
    ).toEqual({});
  });

  test("settled facts: kept, refused, forgotten, in five hundred long histories", () => {
    const reach = new Reach();
    const { policy } = SHORT_MEMORY;
    for (const events of fc.sample(settlingArrivals, { numRuns: 500, seed: 7 })) {
      const customer = newCustomer(CUSTOMER);
      for (const event of events) {
        const outcome = foldEvent(customer, event, null, { policy, quiet: true, forget: true });
        if (outcome.kind === "dead_letter")
          reach.see(outcome.detail.startsWith("amends") ? "amends settled" : "older than the horizon");
        const { base } = customer.state;
        if (base !== null) reach.see("forgotten");
        if (base !== null && base.occasionsDropped > 0) reach.see("occasions forgotten");
        if (base !== null && event.occurredAt < customer.state.newestAt!) reach.see("late after forgetting");
      }
      reach.endHistory();
    }
    expect(
      reach.missing({
        ...{ "amends settled": 150, "older than the horizon": 15 },
        ...{ forgotten: 150, "occasions forgotten": 80, "late after forgetting": 80 },
      }),
    ).toEqual({});
  });
});
