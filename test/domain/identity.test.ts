import { describe, expect, test } from "vitest";
import { loadCustomer, newCustomer, ORDERS_PER_PAGE } from "../../src/domain/customer.ts";
import type { CustomerEvent } from "../../src/domain/events.ts";
import { advance, foldEvent, nextDeadline } from "../../src/domain/fold.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { testPolicy } from "../policy.ts";
import { at, cancelled, day, given, inquiry, order, paid, recorded, refunded, survey } from "./story.ts";

const POLICY = testPolicy();
const OPTIONS = { policy: POLICY, quiet: false, forget: true };

/** All orders of arrival of three events. */
function arrivals([a, b, c]: readonly [CustomerEvent, CustomerEvent, CustomerEvent]): CustomerEvent[][] {
  return [
    [a, b, c],
    [a, c, b],
    [b, a, c],
    [b, c, a],
    [c, a, b],
    [c, b, a],
  ];
}

describe("the same identity twice (S2.1)", () => {
  test.each<[string, CustomerEvent, CustomerEvent, CustomerEvent]>([
    [
      "the greatest revision wins, though older",
      order("o1", day(0), { amountMinor: 7, revision: 2 }),
      order("o1", day(3), { amountMinor: 1, revision: 1 }),
      order("o1", day(5), { amountMinor: 2 }),
    ],
    [
      "then the latest",
      order("o1", day(5), { amountMinor: 7 }),
      order("o1", day(3), { amountMinor: 1 }),
      order("o1", day(4), { amountMinor: 2 }),
    ],
    [
      "then the greatest event id",
      order("o1", day(5), { amountMinor: 7, eventId: "z" }),
      order("o1", day(5), { amountMinor: 1, eventId: "a" }),
      order("o1", day(5), { amountMinor: 2, eventId: "m" }),
    ],
  ])("%s", (_rule, winner, ...losers) => {
    for (const events of arrivals([winner, ...losers]))
      expect(at(given(events), day(6)).facts).toMatchObject({ revenueMinor: 7, occasionsEver: 1 });
  });

  test("a refund revised is whole in its last revision, two refunds add up", () => {
    const placed = order("o1", day(0), { amountMinor: 100 });
    const twice = [placed, refunded("o1", day(1), 60), refunded("o1", day(2), 10, { revision: 1 })];
    expect(at(given(twice), day(3)).facts.revenueMinor).toBe(90);
    const both = [placed, refunded("o1", day(1), 60), refunded("o1", day(2), 39, { refundId: "r2" })];
    expect(at(given(both), day(3)).facts.revenueMinor).toBe(1);
    const all = [...both, refunded("o1", day(3), 1, { refundId: "r3" })];
    expect([3, 2].map((n) => at(given(all), day(n)).facts.occasionsEver)).toEqual([0, 1]);
  });

  test("of payments and cancellations the first counts", () => {
    const terms = order("o1", day(0), { dueAt: day(0) });
    for (const events of arrivals([terms, paid("o1", day(20)), paid("o1", day(10))]))
      expect(at(given(events), day(30)).facts.dbtDays).toBe(10);
    for (const events of arrivals([terms, cancelled("o1", day(20)), cancelled("o1", day(10))]))
      expect([9, 10].map((n) => at(given(events), day(n)).facts.occasionsEver)).toEqual([1, 0]);
  });

  test("of an attribute recorded twice at one instant the greater event id wins (S2.2)", () => {
    const b2b = { ...recorded(day(0), { model: "B2B" }), eventId: "b" } as CustomerEvent;
    const b2c = { ...recorded(day(0), { model: "B2C" }), eventId: "a" } as CustomerEvent;
    for (const events of [
      [b2b, b2c],
      [b2c, b2b],
    ])
      expect(at(given(events), day(1)).facts.profile).toBe("B2B");
  });

  test.each<[string, CustomerEvent]>([
    ["an order", order("o1", day(0))],
    ["a payment", paid("o1", day(0))],
    ["a cancellation", cancelled("o1", day(0))],
    ["a refund", refunded("o1", day(0), 5)],
    ["an inquiry", inquiry(day(0))],
    ["a survey", survey(day(0), 9)],
    ["a record", recorded(day(0), { model: "B2B" })],
  ])("%s delivered again is skipped and leaves no trace", (_kind, event) => {
    const customer = given([event, recorded(day(0), { canBuy: "true" })]);
    const before = structuredClone(customer.state);
    expect(foldEvent(customer, event, null, OPTIONS)).toEqual({ kind: "skip", reason: "duplicate" });
    expect(customer.state).toEqual(before);
  });
});

describe("the fold's own edges", () => {
  test("a timeline includes the transition at its last instant", () => {
    const customer = given([order("o1", day(0))]);
    expect(timeline(customer, day(180), POLICY).at(-1)).toMatchObject({
      at: day(180),
      current: { status: "INACTIVE" },
    });
  });

  test("loaded at the very instant at which something leaves a window, it has left", () => {
    const customer = given([inquiry(day(0), { kind: "SUPPORT", handlingCostMinor: 500 })]);
    advance(customer, day(365), OPTIONS);
    const loaded = loadCustomer(structuredClone(customer.state), POLICY);
    expect(at(loaded, day(365)).facts.costMinor).toBe(0);
    expect(loaded.state.evaluatedAt).toBe(day(365));
  });

  test("an amendment that loses, at the very instant at which its fact leaves the window, does not bring it back", () => {
    const costs = { inquiryId: "i", kind: "SUPPORT", handlingCostMinor: 500 };
    const customer = given([
      inquiry(day(0), { ...costs, revision: 1 }),
      inquiry(day(365), { ...costs, revision: 0 }),
    ]);
    expect(timeline(customer, day(365), POLICY).map(({ at, current }) => [at, current.value])).toEqual([
      [day(0), "D"],
      [day(365), "NONE"],
    ]);
    expect(customer.state.standing?.classification.value).toBe("NONE");
  });

  test("a late fact takes no deadline back that has been applied (S7.2)", () => {
    const customer = given([order("o1", day(0))]);
    advance(customer, day(200), OPTIONS);
    expect(foldEvent(customer, inquiry(day(1), { kind: "SUPPORT" }), null, OPTIONS)).toMatchObject({
      outputs: [],
    });
    expect(customer.state).toMatchObject({
      evaluatedAt: day(180),
      standing: { classification: { status: "INACTIVE" } },
    });
  });

  test("a full page of orders leaves the head (A7)", () => {
    const customer = newCustomer("c1");
    for (let i = 1; i <= ORDERS_PER_PAGE; i++) {
      expect(customer.state.tailPage).toBe(0);
      foldEvent(customer, order(`o${i}`, day(i)), null, OPTIONS);
    }
    expect(customer.state.tailPage).toBe(1);
    expect([...customer.takeChangedPages()]).toEqual([0]);
    expect([...customer.takeChangedPages()]).toEqual([]);
  });

  test("what is settled and unpaid has no deadline any more (S3.7)", () => {
    const dueAt = day(5000);
    const customer = given([order("o1", day(0), { dueAt }), recorded(day(1097), { canBuy: "true" })]);
    advance(customer, day(4000), OPTIONS);
    expect(nextDeadline(customer, POLICY)).toBeNull();
  });

  test("one who referred the same customer's orders twice has one referral, two customers are two (S3.8)", () => {
    const referral = (referredId: string, orderId: string): CustomerEvent => ({
      topic: "referrals",
      customerId: "c1",
      referredId,
      orderId,
      version: 1,
      spans: [{ at: day(0), from: day(0), until: null }],
    });
    const twice = [referral("c2", "o1"), referral("c2", "o2")];
    expect(at(given(twice), day(1)).facts.referrals).toBe(1);
    expect(at(given([...twice, referral("c3", "o3")]), day(1)).facts.referrals).toBe(2);
    expect(at(given(twice), day(365)).facts.referrals).toBe(0);
  });
});
