import { describe, expect, test } from "vitest";
import { acceptEvent } from "../../src/domain/accept.ts";
import type { ChangeDraft } from "../../src/domain/change.ts";
import { newCustomer, type Customer } from "../../src/domain/customer.ts";
import type { CustomerEvent } from "../../src/domain/events.ts";
import { segmentAt } from "../../src/domain/explain.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";
import { testPolicy } from "../policy.ts";

const DAY = 86_400_000;
const POLICY = testPolicy();
const OPTIONS = { policy: POLICY, quiet: false, forget: true };

function day(text: string, plusDays = 0): Instant {
  return instant(Date.parse(`${text}T10:00:00Z`) + plusDays * DAY);
}

let ids = 0;
function event(
  topic: "orders" | "inquiries" | "surveys" | "customers",
  occurredAt: Instant,
  fields: object,
): CustomerEvent {
  const decoded = acceptEvent(topic, { eventId: `e${++ids}`, customerId: "c1", occurredAt, ...fields });
  if (decoded.kind !== "event") throw new Error(decoded.detail);
  return decoded.event;
}

function order(orderId: string, at: Instant, fields: object = {}): CustomerEvent {
  return event("orders", at, { kind: "PLACED", orderId, amountMinor: 5000, ...fields });
}

/** Folds events as they come and returns the customer with what was published. */
function given(...events: CustomerEvent[]): { customer: Customer; changes: ChangeDraft[] } {
  const customer = newCustomer("c1");
  const changes: ChangeDraft[] = [];
  for (const each of events) {
    const outcome = foldEvent(customer, each, null, OPTIONS);
    if (outcome.kind === "folded") changes.push(...outcome.outputs.filter((output) => output !== null));
  }
  return { customer, changes };
}

function stages(customer: Customer, through: Instant): [string, string][] {
  return timeline(customer, through, POLICY).map(({ at, current }) => [
    new Date(at).toISOString().slice(0, 10),
    current.stage,
  ]);
}

function at(customer: Customer, when: Instant) {
  return segmentAt(customer, when, POLICY)!;
}

describe("worked cases (S9)", () => {
  test("case 1: two orders on one calendar day are one occasion", () => {
    const { customer } = given(
      order("o1", day("2025-01-01")),
      order("o2", instant(day("2025-01-01") + 3_600_000)),
    );
    expect(at(customer, day("2025-01-02"))).toMatchObject({
      classification: { stage: "TESTER" },
      facts: { occasionsEver: 1 },
    });
  });

  test("case 2: a full refund takes the second occasion back from then on", () => {
    const { customer } = given(
      order("o1", day("2025-01-01")),
      order("o2", day("2025-01-20")),
      event("orders", day("2025-01-30"), {
        kind: "REFUNDED",
        orderId: "o2",
        refundId: "r1",
        amountMinor: 5000,
      }),
    );
    expect(stages(customer, day("2025-02-01"))).toEqual([
      ["2025-01-01", "TESTER"],
      ["2025-01-20", "BUYER"],
      ["2025-01-30", "TESTER"],
    ]);
  });

  test("case 3: with the only order cancelled an inquiry 10 days old makes a prospect", () => {
    const { customer } = given(
      order("o1", day("2025-01-01")),
      event("inquiries", day("2025-01-05"), { inquiryId: "i1", kind: "INFORMATION" }),
      event("orders", day("2025-01-15"), { kind: "CANCELLED", orderId: "o1" }),
    );
    expect(at(customer, day("2025-01-15")).classification).toMatchObject({
      status: "POTENTIAL",
      stage: "PROSPECT",
    });
  });

  test("case 4: one order lapses after 180 days and is forgotten as a stage after 730", () => {
    const { customer } = given(order("o1", day("2025-01-01")));
    const before = (days: number): Instant => instant(day("2025-01-01", days) - 1);
    expect(at(customer, before(180)).classification).toMatchObject({ status: "ACTIVE", stage: "TESTER" });
    expect(at(customer, day("2025-01-01", 180)).classification).toMatchObject({
      status: "INACTIVE",
      stage: "TESTER",
    });
    expect(at(customer, before(730)).classification.stage).toBe("TESTER");
    expect(at(customer, day("2025-01-01", 730)).classification.stage).toBe("NONE");
  });

  test("case 5: an order that arrives late corrects the lapse it would have prevented", () => {
    const options = {
      ...OPTIONS,
      policy: testPolicy({ profiles: [{ name: "B2C", lapse: { firstDays: 60 } }] }),
    };
    const days = (n: number): Instant => day("2025-01-01", n);
    const customer = newCustomer("c1");
    foldEvent(customer, order("o1", days(0)), null, options);
    const lapsed = advance(customer, days(68), options)[0]!;
    expect(lapsed).toMatchObject({
      current: { status: "INACTIVE" },
      effectiveAt: days(60),
      cause: { kind: "DEADLINE", ref: "lapse" },
    });
    const late = order("o2", days(55));
    expect(foldEvent(customer, late, days(68), options)).toMatchObject({
      kind: "folded",
      outputs: [
        {
          previous: { status: "INACTIVE" },
          current: { status: "ACTIVE" },
          cause: { kind: "LATE", ref: { topic: "orders" } },
          effectiveAt: days(55),
          supersedes: lapsed.changeId,
        },
      ],
    });
  });

  test("case 6: a 9 makes a sponsor for a year; an 8 neither makes nor ends one", () => {
    const orders = [0, 40, 80, 120, 160, 200, 240, 280, 320, 360].map((n, i) =>
      order(`o${i}`, day("2024-06-01", n), { categories: ["a", "b", "c"] }),
    );
    const more = [0, 30, 60, 90, 120, 150, 180, 210].map((n, i) =>
      order(`p${i}`, day("2025-06-10", n), { categories: ["a", "b", "c"] }),
    );
    const events = [
      ...orders,
      ...more,
      event("surveys", day("2025-01-10"), { surveyId: "s1", score: 9, scaleMin: 0 }),
      event("surveys", day("2025-06-15"), { surveyId: "s2", score: 8, scaleMin: 0 }),
    ].sort((a, b) => ("occurredAt" in a && "occurredAt" in b ? a.occurredAt - b.occurredAt : 0));
    const { customer } = given(...events);
    expect(at(customer, instant(day("2025-06-15") - 1)).classification.stage).toBe("SPONSOR");
    expect(at(customer, day("2025-06-15")).classification.stage).toBe("SPONSOR");
    expect(at(customer, instant(day("2026-01-10") - 1)).classification.stage).toBe("SPONSOR");
    expect(at(customer, day("2026-01-10")).classification.stage).not.toBe("SPONSOR");
    const withoutNine = given(...events.filter((each) => each.topic !== "surveys" || each.score !== 9));
    expect(at(withoutNine.customer, day("2025-06-20")).classification.stage).not.toBe("SPONSOR");
  });

  test("case 7: a score of 0 on a scale from 1 is refused", () => {
    const raw = {
      eventId: "e",
      customerId: "c1",
      occurredAt: day("2025-01-01"),
      surveyId: "s",
      score: 0,
      scaleMin: 1,
      scaleMax: 10,
    };
    expect(acceptEvent("surveys", raw)).toMatchObject({ kind: "dead_letter", reason: "invalid_scale" });
  });

  test("case 8: five purchases 14 days apart lapse after 67.43 days", () => {
    const { customer } = given(...[0, 14, 28, 42, 56].map((n, i) => order(`o${i}`, day("2025-01-01", n))));
    const { lapseAt, lastOccasionAt } = at(customer, day("2025-03-01")).facts;
    const days = (lapseAt! - lastOccasionAt!) / DAY;
    expect(days).toBeCloseTo(67.43, 2);
    expect(days).toBeCloseTo((2 * (3 * 60 + 4 * 14)) / 7, 6);
  });

  test("case 9: purchases only in Decembers are seasonal until the next January is over", () => {
    const { customer } = given(order("o1", day("2023-12-10")), order("o2", day("2024-12-12")));
    const { classification, facts } = at(customer, day("2025-06-01"));
    expect(classification.tags).toContain("SEASONAL");
    expect(new Date(facts.lapseAt!).toISOString()).toBe("2026-01-31T00:00:00.000Z");
  });

  describe("case 10: a patron who pays late", () => {
    const orders = (): CustomerEvent[] =>
      Array.from({ length: 14 }, (_, i) =>
        order(`o${i}`, day("2024-03-01", i * 30), { amountMinor: 30_000, categories: ["a", "b", "c"] }),
      );
    const invoice = (): CustomerEvent =>
      order("inv", day("2025-02-01"), { amountMinor: 30_000, dueAt: day("2025-03-01"), categories: ["a"] });
    const paid = (orderId: string, when: Instant): CustomerEvent =>
      event("orders", when, { kind: "PAID", orderId });
    const inTime = (event: CustomerEvent): number => (event.topic === "referrals" ? 0 : event.occurredAt);

    test("falls to buyer by the deadline, and stays there while this is the only invoice", () => {
      const { customer } = given(
        ...[
          ...orders(),
          invoice(),
          order("last", day("2025-04-25"), { categories: ["a", "b", "c"] }),
          paid("inv", day("2025-05-05")),
        ].sort((a, b) => inTime(a) - inTime(b)),
      );
      expect(at(customer, instant(day("2025-03-01", 60) - 1)).classification.stage).toBe("PATRON");
      expect(at(customer, day("2025-03-01", 60)).classification.stage).toBe("BUYER");
      const fall = timeline(customer, day("2025-05-05"), POLICY).find(
        ({ at }) => at === day("2025-03-01", 60),
      );
      expect(fall?.cause).toEqual({ kind: "DEADLINE", ref: "overdue" });
      const after = at(customer, day("2025-05-05"));
      expect(after.facts).toMatchObject({ overdue: false, dbtDays: 65 });
      expect(after.classification.stage).toBe("BUYER");
    });

    test("among ten others paid in time the payment lifts the cap at once", () => {
      const terms = Array.from({ length: 10 }, (_, i) => [
        order(`t${i}`, day("2024-11-10", i * 8), {
          amountMinor: 30_000,
          dueAt: day("2024-11-10", i * 8 + 30),
          categories: ["a"],
        }),
        paid(`t${i}`, day("2024-11-10", i * 8 + 10)),
      ]).flat();
      const afterwards = Array.from({ length: 7 }, (_, i) =>
        order(`m${i}`, day("2025-05-20", i * 25), { amountMinor: 30_000, categories: ["a", "b", "c"] }),
      );
      const { customer } = given(
        ...[
          ...orders(),
          ...terms,
          invoice(),
          order("last", day("2025-04-25"), { categories: ["a", "b", "c"] }),
          paid("inv", day("2025-05-05")),
          ...afterwards,
        ].sort((a, b) => inTime(a) - inTime(b)),
      );
      expect(at(customer, instant(day("2025-05-05") - 1)).classification.stage).toBe("BUYER");
      const after = at(customer, day("2025-05-05"));
      expect(after.facts.dbtDays).toBeCloseTo(65 / 11, 2);
      expect(after.classification.stage).toBe("ACCOUNT");
      expect(at(customer, instant(day("2025-05-05", 180) - 1)).classification.stage).toBe("ACCOUNT");
      expect(at(customer, day("2025-05-05", 180)).classification.stage).toBe("PATRON");
    });
  });

  test("case 11: a model recorded later but dated earlier changes the whole timeline", () => {
    const events = [
      order("o1", day("2025-01-01")),
      event("customers", day("2024-12-01"), {
        kind: "RECORDED",
        source: "crm",
        attributes: { model: "B2B" },
      }),
    ];
    const { customer } = given(...events);
    const inOrder = given(...events.toReversed()).customer;
    expect(timeline(customer, day("2027-01-01"), POLICY)).toEqual(
      timeline(inOrder, day("2027-01-01"), POLICY),
    );
    expect(at(customer, day("2025-01-01", 200)).classification.status).toBe("ACTIVE");
    expect(at(customer, day("2025-01-01", 200)).facts.profile).toBe("B2B");
  });

  test("case 12: the same event five times, interleaved, counts once", () => {
    const first = order("o1", day("2025-01-01"));
    const second = order("o2", day("2025-01-20"));
    const { changes } = given(first, first, second, first, second, first, first);
    expect(changes.map(({ current }) => current.stage)).toEqual(["TESTER", "BUYER"]);
    expect(changes).toEqual(given(first, second).changes);
  });
});
