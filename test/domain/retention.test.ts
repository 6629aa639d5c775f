import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChangeDraft } from "../../src/domain/change.ts";
import { loadCustomer, newCustomer, type Customer } from "../../src/domain/customer.ts";
import type { CustomerEvent } from "../../src/domain/events.ts";
import { explain } from "../../src/domain/explain.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import type { FoldOptions, FoldOutcome } from "../../src/domain/fold-api.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { instant } from "../../src/shared/instant.ts";
import { testPolicy } from "../policy.ts";

const DAY = 86_400_000;
const START = Date.UTC(2012, 0, 1, 12);
const POLICY = testPolicy();
const HORIZON = POLICY.horizonMs;
const FORGETTING: FoldOptions = { policy: POLICY, quiet: false, forget: true };
const KEEPING: FoldOptions = { policy: POLICY, quiet: false, forget: false };

type Kind = "order" | "inquiry" | "survey" | "record";

function event(kind: Kind, n: number, at: number, size = 0): CustomerEvent {
  const base = { eventId: `e${String(n).padStart(5, "0")}`, customerId: "c1", occurredAt: instant(at) };
  switch (kind) {
    case "order":
      return {
        ...base,
        topic: "orders",
        kind: "PLACED",
        orderId: `o${n}`,
        revision: 0,
        amountMinor: 30_000 + size,
        currency: null,
        costMinor: size,
        units: 1,
        categories: [],
        dueAt: size % 3 === 0 ? instant(at + 30 * DAY) : null,
        referredBy: null,
      };
    case "inquiry":
      return {
        ...base,
        topic: "inquiries",
        inquiryId: `i${n}`,
        kind: size % 2 === 0 ? "SUPPORT" : "INFORMATION",
        revision: 0,
        handlingCostMinor: size,
        currency: null,
      };
    case "survey":
      return {
        ...base,
        topic: "surveys",
        surveyId: `s${n}`,
        score: size % 11,
        scaleMin: 0,
        scaleMax: 10,
        revision: 0,
      };
    case "record":
      return {
        ...base,
        topic: "customers",
        kind: "RECORDED",
        source: "crm",
        attributes: size % 2 === 0 ? { model: size % 4 === 0 ? "B2B" : "B2C" } : { channel: "DRUG" },
      };
  }
}

function fold(customer: Customer, event: CustomerEvent, options: FoldOptions): FoldOutcome {
  return foldEvent(customer, event, null, options);
}

/** What was published, without the ids: those name the change a re-fold corrects, which is the same chain in both. */
function published(outcome: FoldOutcome): unknown {
  return outcome.kind === "folded" ? outcome.outputs : outcome;
}

describe("settled facts (S2.4)", () => {
  const kinds = fc.constantFrom<Kind>("order", "order", "order", "inquiry", "survey", "record");
  /** Steps of a long, sparse history; now and then an event as late as it may be, to the millisecond. */
  const steps = fc.array(
    fc.record({
      kind: kinds,
      gapDays: fc.constantFrom(1, 20, 60, 90, 200, 400, 800, 1096, 1500),
      late: fc.constantFrom(null, null, null, null, 0, 1, DAY, 300 * DAY),
      size: fc.integer({ min: 0, max: 40_000 }),
      reload: fc.boolean(),
    }),
    { minLength: 5, maxLength: 40 },
  );

  test("forgetting them changes nothing that is published, wherever the customer is stored and loaded", () => {
    fc.assert(
      fc.property(steps, (history) => {
        const keeping = newCustomer("c1");
        const forgetting = newCustomer("c1");
        let reloading = newCustomer("c1");
        let newest = START;
        history.forEach(({ kind, gapDays, late, size, reload }, n) => {
          if (late === null) newest += gapDays * DAY;
          const at = late === null ? newest : Math.max(START, newest - HORIZON + late);
          if (reload) reloading = loadCustomer(structuredClone(reloading.state), POLICY);
          const expected = published(fold(keeping, event(kind, n, at, size), KEEPING));
          expect(published(fold(forgetting, event(kind, n, at, size), FORGETTING))).toEqual(expected);
          expect(published(fold(reloading, event(kind, n, at, size), FORGETTING))).toEqual(expected);
        });
        expect(reloading.state).toEqual(forgetting.state);
        const end = instant(newest + 3000 * DAY);
        expect(advance(forgetting, end, FORGETTING)).toEqual(advance(keeping, end, KEEPING));
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  test("a customer who orders for twenty years keeps two horizons and a quarter of them, and counts all", () => {
    const customer = newCustomer("c1");
    for (let n = 0; n < 20 * 12; n++) fold(customer, event("order", n, START + n * 30 * DAY), FORGETTING);
    const newest = customer.state.newestAt!;
    const oldest = Math.min(...customer.state.orders.map(({ versions }) => versions[0]!.at));
    expect(oldest).toBeGreaterThan(newest - 2 * HORIZON - 122 * DAY);
    expect(oldest).toBeLessThanOrEqual(newest - 2 * HORIZON);
    const facts = explain(customer, newest, POLICY)!.facts;
    expect(facts.occasionsEver).toBe(240);
    expect(facts.firstOccasionAt).toBe(START);
  });

  test("one who bought once, long ago, and only asks for support since keeps the order and no more than two horizons of inquiries", () => {
    const customer = newCustomer("c1");
    fold(customer, event("order", 0, START), FORGETTING);
    for (let n = 1; n < 15 * 365; n += 10) fold(customer, event("inquiry", n, START + n * DAY), FORGETTING);
    expect(customer.state.orders).toHaveLength(1);
    expect(customer.state.inquiries.length).toBeLessThanOrEqual((2 * 1096 + 92) / 10 + 1);
  });

  test("register records are dropped once others of their age have overridden them, and what is in force stays", () => {
    const customer = newCustomer("c1");
    fold(customer, event("record", 0, START, 1), FORGETTING);
    for (let n = 1; n < 30 * 12; n++) fold(customer, event("record", n, START + n * 30 * DAY, 4), FORGETTING);
    const names = customer.state.register.map(({ attributes }) => attributes[0]?.[0]);
    expect(names.filter((name) => name === "channel")).toHaveLength(1);
    expect(names.length).toBeLessThanOrEqual((2 * 1096 + 91) / 30 + 64);
    expect(explain(customer, customer.state.newestAt!, POLICY)!.facts.profile).toBe("B2B");
  });

  test("a fact older than the horizon is too late, one of exactly that age is not", () => {
    const customer = newCustomer("c1");
    fold(customer, event("order", 0, START + HORIZON + DAY), FORGETTING);
    expect(fold(customer, event("order", 1, START + DAY - 1), FORGETTING)).toMatchObject({
      kind: "dead_letter",
      reason: "too_late",
    });
    expect(fold(customer, event("order", 2, START + DAY), FORGETTING).kind).toBe("folded");
  });

  test("an amendment of a settled order is too late, though the amendment itself is new", () => {
    const customer = newCustomer("c1");
    fold(customer, event("order", 0, START), FORGETTING);
    fold(customer, event("order", 1, START + HORIZON + 1), FORGETTING);
    const cancelled: CustomerEvent = {
      topic: "orders",
      kind: "CANCELLED",
      eventId: "x",
      customerId: "c1",
      orderId: "o0",
      occurredAt: instant(START + HORIZON + 2),
      revision: 0,
    };
    const state = structuredClone(customer.state);
    expect(fold(customer, cancelled, FORGETTING)).toMatchObject({ kind: "dead_letter", reason: "too_late" });
    expect(customer.state).toEqual(state);
  });

  test("a purchase cancelled after the point of forgetting leaves the one before it in force", () => {
    const facts: CustomerEvent[] = [
      event("order", 1, START),
      event("inquiry", 2, START + DAY),
      event("order", 3, START + 1200 * DAY),
      {
        topic: "orders",
        kind: "CANCELLED",
        eventId: "e00004",
        customerId: "c1",
        occurredAt: instant(START + 1290 * DAY),
        orderId: "o3",
        revision: 0,
      },
      event("survey", 5, START + (HORIZON / DAY + 1280) * DAY, 1),
    ];
    const keeping = newCustomer("c1");
    const forgetting = newCustomer("c1");
    for (const fact of facts) {
      expect(fold(forgetting, fact, FORGETTING)).toEqual(fold(keeping, fact, KEEPING));
    }
    expect(forgetting.state.inquiries).toEqual([]);
    const end = instant(START + 3000 * DAY);
    const [change] = advance(forgetting, end, FORGETTING);
    expect(change?.facts.lastOccasionAt).toBe(START);
    expect([change]).toEqual(advance(keeping, end, KEEPING).slice(0, 1));
  });

  test("what lies before the point of forgetting is not invented: neither timeline nor explanation reach it", () => {
    const customer = newCustomer("c1");
    for (let n = 0; n < 240; n++) fold(customer, event("order", n, START + n * 30 * DAY), FORGETTING);
    const baseAt = customer.state.base!.at;
    expect(explain(customer, instant(baseAt - 1), POLICY)).toBeNull();
    expect(explain(customer, baseAt, POLICY)).not.toBeNull();
    expect(timeline(customer, customer.state.newestAt!, POLICY).every(({ at }) => at > baseAt)).toBe(true);
  });

  test("a fact that comes as late as it may is still evaluated at its own instant", () => {
    const customer = newCustomer("c1");
    const newest = START + 2 * HORIZON + 91 * DAY;
    fold(customer, event("inquiry", 0, START), FORGETTING);
    fold(customer, event("inquiry", 1, newest), FORGETTING);
    expect(customer.state.base).not.toBeNull();
    fold(customer, event("order", 2, newest - HORIZON), FORGETTING);
    expect(timeline(customer, instant(newest), POLICY)[0]).toMatchObject({
      at: newest - HORIZON,
      current: { status: "ACTIVE", stage: "TESTER" },
    });
  });

  test("the first change after the point of forgetting is explained with the values that held there", () => {
    const customer = newCustomer("c1");
    for (let n = 0; n < 100; n++) fold(customer, event("order", n, START + n * 30 * DAY, 1), FORGETTING);
    const costly = fold(customer, event("inquiry", 100, START + 2965 * DAY, 310_000), FORGETTING);
    expect(customer.state.base).not.toBeNull();
    expect(costly).toMatchObject({
      kind: "folded",
      outputs: [{ cause: { kind: "LATE" }, previous: { value: "A" }, current: { value: "B" } }],
    });
    const [change] = (costly as { outputs: readonly ChangeDraft[] }).outputs;
    // Nine tenths of 100 000 (S6.3): the value just before was A.
    expect(change!.reasons).toContainEqual(
      expect.objectContaining({ rule: "A.profitMinor", operator: "<", threshold: 90_000 }),
    );
  });
});
