import { describe, expect, test } from "vitest";
import { newCustomer, type Customer } from "../../src/domain/customer.ts";
import type { CustomerEvent, Referral } from "../../src/domain/events.ts";
import { advance, foldEvent, nextDeadline } from "../../src/domain/fold.ts";
import type { FoldOutcome } from "../../src/domain/fold-api.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";
import { testPolicy } from "../policy.ts";

const DAY = 86_400_000;
const POLICY = testPolicy();
const OPTIONS = { policy: POLICY, quiet: false, forget: true };

function day(n: number): Instant {
  return instant(Date.UTC(2024, 0, 1, 12) + n * DAY);
}

function order(orderId: string, at: Instant, referredBy: string | null = null): CustomerEvent {
  return {
    topic: "orders",
    kind: "PLACED",
    eventId: `placed ${orderId}`,
    customerId: "c1",
    occurredAt: at,
    orderId,
    revision: 0,
    amountMinor: 5000,
    currency: null,
    costMinor: 0,
    units: 1,
    categories: [],
    dueAt: null,
    referredBy,
  };
}

function erased(at: Instant): CustomerEvent {
  return {
    topic: "customers",
    kind: "ERASED",
    eventId: `erased ${at}`,
    customerId: "c1",
    occurredAt: at,
    source: "crm",
  };
}

function given(...events: CustomerEvent[]): Customer {
  const customer = newCustomer("c1");
  for (const event of events) foldEvent(customer, event, null, OPTIONS);
  return customer;
}

function when(customer: Customer, event: CustomerEvent, through: Instant | null = null): FoldOutcome {
  return foldEvent(customer, event, through, OPTIONS);
}

describe("erasure (S2.5)", () => {
  test("deletes everything up to its instant and is told as a tombstone", () => {
    const customer = given(order("o1", day(0)), order("o2", day(20)));
    expect(when(customer, erased(day(20)))).toEqual({ kind: "folded", outputs: [null], referrals: [] });
    expect(customer.state.orders).toEqual([]);
    expect(customer.state.published).toBeNull();
    expect(timeline(customer, day(900), POLICY)).toEqual([]);
  });

  test("applies the deadlines before it first, as before any event", () => {
    const customer = given(order("o1", day(0)));
    expect(when(customer, erased(day(200)))).toMatchObject({
      outputs: [{ current: { status: "INACTIVE" }, effectiveAt: day(180) }, null],
    });
  });

  test("what happened after it starts a new history, whose first change has nothing before it", () => {
    const customer = given(order("o1", day(0)), order("o2", day(20)), order("o3", day(40)));
    expect(when(customer, erased(day(30)))).toMatchObject({
      outputs: [
        null,
        {
          previous: null,
          current: { stage: "TESTER" },
          effectiveAt: day(40),
          cause: { kind: "LATE" },
          supersedes: null,
        },
      ],
    });
    expect(timeline(customer, day(50), POLICY)).toHaveLength(1);
  });

  test("facts of its time that arrive later are discarded, and an older erasure adds nothing", () => {
    const customer = given(order("o1", day(0)), erased(day(30)));
    const state = structuredClone(customer.state);
    expect(when(customer, order("o2", day(30)))).toEqual({ kind: "skip", reason: "erased" });
    expect(when(customer, erased(day(29)))).toEqual({ kind: "skip", reason: "erased" });
    expect(customer.state).toEqual(state);
    expect(when(customer, order("o3", instant(day(30) + 1))).kind).toBe("folded");
  });

  test("the version that an erasure takes away leaves the field to the one it had beaten", () => {
    const amended = { ...order("o1", day(10)), eventId: "first", revision: 2 } as CustomerEvent;
    const older = { ...order("o1", day(40)), eventId: "second", revision: 1 } as CustomerEvent;
    const customer = given(amended, older);
    when(customer, erased(day(20)));
    expect(timeline(customer, day(50), POLICY)[0]).toMatchObject({
      at: day(40),
      current: { stage: "TESTER" },
    });
  });

  test("takes back the referrals that its deleted orders gave, and leaves those that stay", () => {
    const customer = given(order("o1", day(0), "c2"), order("o2", day(40), "c3"), order("o3", day(5)));
    const outcome = when(customer, erased(day(30)));
    expect(outcome.kind === "folded" ? outcome.referrals : null).toEqual([
      { topic: "referrals", customerId: "c2", referredId: "c1", orderId: "o1", spans: [] },
    ]);
  });

  test("the referrals this customer gave in that time are gone too", () => {
    const referral: Referral = {
      topic: "referrals",
      customerId: "c1",
      referredId: "c9",
      orderId: "x",
      version: 1,
      spans: [{ at: day(0), from: day(0), until: null }],
    };
    const customer = given(referral);
    expect(timeline(customer, day(1), POLICY)[0]).toMatchObject({ current: { tags: ["ADVOCATE"] } });
    when(customer, erased(day(10)));
    expect(timeline(customer, day(20), POLICY)).toEqual([]);
    // The referrer's shard may be told of the same order again: it is still of the erased time.
    when(customer, { ...referral, version: 2 });
    expect(timeline(customer, day(20), POLICY)).toEqual([]);
  });

  test("its marker is kept for thirty days, then nothing is left", () => {
    const customer = given(order("o1", day(0)), erased(day(30)));
    expect(customer.isEmpty).toBe(false);
    expect(nextDeadline(customer, POLICY)).toBe(day(60));
    expect(advance(customer, instant(day(60) - 1), OPTIONS)).toEqual([]);
    expect(customer.isEmpty).toBe(false);
    expect(advance(customer, day(60), OPTIONS)).toEqual([]);
    expect(customer.isEmpty).toBe(true);
    expect(nextDeadline(customer, POLICY)).toBeNull();
  });

  test("a marker whose time the shard's clock has passed goes in the same step (A4)", () => {
    const customer = given(order("o1", day(0)));
    expect(when(customer, erased(day(30)), day(61))).toMatchObject({ outputs: [null] });
    expect(customer.isEmpty).toBe(true);
  });

  test("the marker stays while there are new facts", () => {
    const customer = given(order("o1", day(0)), erased(day(30)), order("o2", day(35)));
    advance(customer, day(100), OPTIONS);
    expect(when(customer, order("o3", day(30)))).toEqual({ kind: "skip", reason: "erased" });
  });

  test("is silent in a silent fold, and reaches the same state", () => {
    const loud = given(order("o1", day(0)), order("o2", day(40)));
    const quiet = given(order("o1", day(0)), order("o2", day(40)));
    when(loud, erased(day(30)));
    expect(foldEvent(quiet, erased(day(30)), null, { ...OPTIONS, quiet: true })).toMatchObject({
      outputs: [],
    });
    expect(quiet.state).toEqual(loud.state);
  });
});
