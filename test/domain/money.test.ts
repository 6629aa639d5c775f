import { describe, expect, test } from "vitest";
import { GREATEST_BASE_MINOR, toBase } from "../../src/domain/money.ts";
import { foldEvent } from "../../src/domain/fold.ts";
import { newCustomer } from "../../src/domain/customer.ts";
import { testPolicy } from "../policy.ts";
import { at, day, given, inquiry, order, refunded } from "./story.ts";

const POLICY = testPolicy({
  rates: {
    USD: [
      { from: "2025-01-01T00:00:00Z", rate: 1.1 },
      { from: "2024-01-01T00:00:00Z", rate: 0.5 },
    ],
    JPY: [{ from: "2020-01-01T00:00:00Z", rate: 0.00615 }],
    KWD: [{ from: "2020-01-01T00:00:00Z", rate: 3.25 }],
  },
});
const IN_2024 = Date.UTC(2024, 6, 1);

describe("money in the base currency (S1, I4)", () => {
  test("halves are rounded away from zero", () => {
    expect([1, 3, 5, 2, 4].map((amount) => toBase(POLICY, amount, "USD", IN_2024))).toEqual([1, 2, 3, 1, 2]);
    expect(toBase(POLICY, -1, "USD", IN_2024)).toBe(-1);
  });

  test("the rate is the one whose `from` is the latest not after the day", () => {
    const turn = Date.UTC(2025, 0, 1);
    expect(toBase(POLICY, 1000, "USD", turn - 1)).toBe(500);
    expect(toBase(POLICY, 1000, "USD", turn)).toBe(1100);
    expect(toBase(POLICY, 1000, "USD", Date.UTC(2024, 0, 1) - 1)).toBeNull();
    expect(toBase(POLICY, 1000, "GBP", turn)).toBeNull();
  });

  test("a quoted rate is for whole units: ISO 4217 digits scale it", () => {
    // 10 000 yen at 0.00615 are 61.50 euros; 1.000 dinar at 3.25 is 3.25 euros.
    expect(toBase(POLICY, 10_000, "JPY", IN_2024)).toBe(6150);
    expect(toBase(POLICY, 1000, "KWD", IN_2024)).toBe(325);
    const inYen = testPolicy({
      baseCurrency: "JPY",
      rates: { EUR: [{ from: "2020-01-01T00:00:00Z", rate: 162.6 }] },
    });
    expect(toBase(inYen, 6150, "EUR", IN_2024)).toBe(10_000);
  });

  test("the rate's decimal text is what counts, not the binary number", () => {
    // In doubles 1.005 · 100 is 100.49….
    expect([5, 15, 25].map((amount) => toBase(POLICY, amount, "USD", Date.UTC(2025, 5)))).toEqual([
      6, 17, 28,
    ]);
    const policy = testPolicy({ rates: { USD: [{ from: "2020-01-01T00:00:00Z", rate: 1.005 }] } });
    expect(toBase(policy, 100, "USD", IN_2024)).toBe(101);
  });

  test("an exponent in the rate is understood", () => {
    expect(
      toBase(
        testPolicy({ rates: { USD: [{ from: "2020-01-01T00:00:00Z", rate: 5e-7 }] } }),
        1e6,
        "USD",
        IN_2024,
      ),
    ).toBe(1);
    expect(
      toBase(
        testPolicy({ rates: { USD: [{ from: "2020-01-01T00:00:00Z", rate: 2e21 }] } }),
        1,
        "USD",
        IN_2024,
      ),
    ).toBe(2e21);
  });

  test("net is one conversion of amount − refunds, and a cost takes the order's currency and rate (S3.2)", () => {
    // Each alone is a half: 2500.5 − 0.5 would be 2500 or 2501; (5001 − 1) · 0.5 is 2500.
    const customer = given(
      [
        order("o1", day(0), { amountMinor: 5001, currency: "USD", costMinor: 201 }),
        refunded("o1", day(400), 1),
      ],
      POLICY,
    );
    expect(at(customer, day(10), POLICY).facts).toMatchObject({ revenueMinor: 2501, costMinor: 101 });
    const refundedSoon = given(
      [order("o1", day(0), { amountMinor: 5001, currency: "USD" }), refunded("o1", day(1), 1)],
      POLICY,
    );
    expect(at(refundedSoon, day(10), POLICY).facts.revenueMinor).toBe(2500);
  });

  test("a refund of a later year takes the rate of its order, and is compared in the order's own currency (S1, S3.2)", () => {
    const customer = given(
      [order("o1", day(200), { amountMinor: 1000, currency: "USD" }), refunded("o1", day(400), 400)],
      POLICY,
    );
    expect(at(customer, day(401), POLICY).facts.revenueMinor).toBe(300);
    // One yen of ten thousand less is a refund that leaves the order standing, though its base is almost nothing.
    const yen = given(
      [order("o1", day(0), { amountMinor: 2, currency: "JPY" }), refunded("o1", day(1), 1)],
      POLICY,
    );
    expect(at(yen, day(2), POLICY).facts).toMatchObject({ occasionsEver: 1, revenueMinor: 1 });
  });

  test("handling costs take the rate of their inquiry", () => {
    const customer = given([inquiry(day(0), { handlingCostMinor: 1000, currency: "KWD" })], POLICY);
    expect(at(customer, day(1), POLICY).facts.costMinor).toBe(325);
  });

  test("a currency without a rate for that day is refused, whatever is in it (S2.3 unknown_currency)", () => {
    const refusal = (event: ReturnType<typeof order>) =>
      foldEvent(newCustomer("c1"), event, null, { policy: POLICY, quiet: false, forget: true });
    const unknown = { kind: "dead_letter", reason: "unknown_currency" };
    expect(refusal(order("o1", day(0), { currency: "GBP" }))).toMatchObject(unknown);
    expect(refusal(order("o1", day(-1), { currency: "USD" }))).toMatchObject(unknown);
    expect(refusal(inquiry(day(0), { currency: "GBP" }))).toMatchObject(unknown);
    expect(refusal(order("o1", day(0), { currency: "USD" })).kind).toBe("folded");
  });

  test("amounts, costs and handling costs have a greatest value in the base currency", () => {
    const outcome = (event: ReturnType<typeof order>) =>
      foldEvent(newCustomer("c1"), event, null, { policy: POLICY, quiet: false, forget: true });
    const invalid = { kind: "dead_letter", reason: "invalid_field" };
    expect(outcome(order("o1", day(0), { amountMinor: GREATEST_BASE_MINOR })).kind).toBe("folded");
    expect(outcome(order("o1", day(0), { amountMinor: GREATEST_BASE_MINOR + 1 }))).toMatchObject(invalid);
    expect(outcome(order("o1", day(0), { costMinor: GREATEST_BASE_MINOR + 1 }))).toMatchObject(invalid);
    expect(outcome(inquiry(day(0), { handlingCostMinor: GREATEST_BASE_MINOR + 1 }))).toMatchObject(invalid);
  });
});
