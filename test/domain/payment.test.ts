import { describe, expect, test } from "vitest";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { newCustomer } from "../../src/domain/customer.ts";
import { instant } from "../../src/shared/instant.ts";
import { testPolicy } from "../policy.ts";
import { at, DAY, day, given, inquiry, order, paid, refunded } from "./story.ts";

const POLICY = testPolicy();

describe("days beyond terms (S3.7)", () => {
  const due = (amountMinor: number) => ({ amountMinor, dueAt: day(30) });

  test("are weighted by the amount, early payments counting nothing, refunds changing nothing", () => {
    const customer = given([
      order("o1", day(0), due(1000)),
      order("o2", day(0), due(3000)),
      paid("o1", day(70)),
      paid("o2", day(10)),
      refunded("o1", day(71), 900),
    ]);
    expect(at(customer, day(72)).facts.dbtDays).toBe(10);
  });

  test("are compared exactly: a millisecond beyond the threshold is slow, and is told so that a reader sees it (S8)", () => {
    for (const [ms, isSlow] of [
      [0, false],
      [1, true],
    ] as const) {
      const customer = newCustomer("c1");
      const options = { policy: POLICY, quiet: false, forget: true };
      foldEvent(customer, order("o1", day(0), due(1000)), null, options);
      const outcome = foldEvent(customer, paid("o1", instant(day(45) + ms)), null, options);
      expect(at(customer, day(50)).classification.tags.includes("SLOW_PAYER")).toBe(isSlow);
      const { dbtDays } = at(customer, day(50)).facts;
      expect(dbtDays > 15).toBe(isSlow);
      if (!isSlow) continue;
      expect(outcome).toMatchObject({
        outputs: [
          { reasons: [{ rule: "SLOW_PAYER.dbtDays", observed: dbtDays, operator: ">", threshold: 15 }] },
        ],
      });
    }
  });

  test("are two decimals where nothing hangs on more", () => {
    const customer = given([
      order("o1", day(0), due(1000)),
      order("o2", day(0), due(2000)),
      paid("o1", day(40)),
      paid("o2", day(30)),
    ]);
    expect(at(customer, day(41)).facts.dbtDays).toBe(3.33);
  });

  test("cap at BUYER only beyond the second threshold; in between they keep from PATRON alone (S6.1, S6.2)", () => {
    const stageWith = (lateDays: number): string => {
      const orders = Array.from({ length: 12 }, (_, i) =>
        order(`o${i}`, day(i * 30), { amountMinor: 30_000 }),
      );
      const invoice = order("inv", day(300), { amountMinor: 100, dueAt: day(301) });
      const events = [...orders.slice(0, 11), invoice, orders[11]!, paid("inv", day(301 + lateDays))];
      return at(given(events), day(370)).classification.stage;
    };
    expect([15, 16, 30, 31].map(stageWith)).toEqual(["PATRON", "ACCOUNT", "ACCOUNT", "BUYER"]);
  });
});

describe("overdue (S3.7)", () => {
  const HORIZON = POLICY.horizonMs;

  test("begins by the deadline, ends with the payment", () => {
    const customer = given([order("o1", day(0), { dueAt: day(30) }), paid("o1", day(100))]);
    const overdue = [day(90) - 1, day(90), day(100) - 1, day(100)].map((t) => at(customer, t).facts.overdue);
    expect(overdue).toEqual([false, true, true, false]);
    const [, began] = timeline(customer, day(100), POLICY);
    expect(began).toMatchObject({ at: day(90), cause: { kind: "DEADLINE", ref: "overdue" } });
  });

  test("ends when the order is settled, a millisecond beyond the horizon", () => {
    const horizonLater = instant(day(0) + HORIZON);
    const customer = given([order("o1", day(0), { dueAt: day(30) }), inquiry(horizonLater)]);
    expect(at(customer, horizonLater).facts.overdue).toBe(true);
    foldEvent(customer, inquiry(instant(horizonLater + 1)), null, {
      policy: POLICY,
      quiet: false,
      forget: true,
    });
    expect(at(customer, instant(horizonLater + 1)).facts.overdue).toBe(false);
  });

  test("never begins for an order that was settled before its terms ended", () => {
    const terms = instant(day(0) + HORIZON + 100 * DAY);
    const customer = given([order("o1", day(0), { dueAt: terms }), inquiry(instant(day(0) + HORIZON + 1))]);
    const options = { policy: POLICY, quiet: false, forget: true };
    const later = advance(customer, instant(terms + 400 * DAY), options);
    expect(later.filter((draft) => draft?.facts.overdue)).toEqual([]);
    expect(later.map((draft) => draft?.cause.ref)).not.toContain("overdue");
  });
});
