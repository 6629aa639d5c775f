import { describe, expect, test } from "vitest";
import type { CustomerEvent } from "../../src/domain/events.ts";
import { testPolicy } from "../policy.ts";
import { at, day, given, inquiry, order, survey } from "./story.ts";

const CATEGORIES = ["tea", "cups", "pots"];

/** An order a month, so that the customer is an ACCOUNT from day 180 on; each costs what it brings, less a margin. */
function monthly(marginMinor: number, months = 12, fields: object = {}): CustomerEvent[] {
  return Array.from({ length: months }, (_, i) =>
    order(`o${i}`, day(i * 30), {
      amountMinor: 30_000,
      costMinor: 30_000 - marginMinor,
      categories: CATEGORIES,
      ...fields,
    }),
  );
}

function stageOn(n: number, ...events: CustomerEvent[]): string {
  const inOrder = events.sort((a, b) =>
    "occurredAt" in a && "occurredAt" in b ? a.occurredAt - b.occurredAt : 0,
  );
  return at(given(inOrder), day(n)).classification.stage;
}

describe("stage (S6.1, S6.2)", () => {
  test("ACCOUNT is entered by six occasions over 180 days, in three categories or none named", () => {
    expect([179, 180].map((n) => stageOn(n, ...monthly(0, 7)))).toEqual(["BUYER", "ACCOUNT"]);
    expect(stageOn(180, ...monthly(0, 7, { categories: ["tea", "cups"] }))).toBe("BUYER");
    expect(stageOn(180, ...monthly(0, 7, { categories: [] }))).toBe("ACCOUNT");
    const tooFew = [0, 40, 80, 120, 180].map((n, i) => order(`o${i}`, day(n), { categories: CATEGORIES }));
    expect(stageOn(180, ...tooFew)).toBe("BUYER");
  });

  test("PATRON begins 180 days after ACCOUNT did, to the millisecond", () => {
    const customer = given(monthly(1000, 13));
    expect(at(customer, day(360) - 1).classification.stage).toBe("ACCOUNT");
    expect(at(customer, day(360)).classification.stage).toBe("PATRON");
    expect(at(customer, day(360)).facts.accountSince).toBe(day(180));
  });

  test("without profit nobody is PATRON, but SPONSOR asks only for no loss", () => {
    expect(stageOn(365, ...monthly(0, 13))).toBe("ACCOUNT");
    expect(stageOn(200, ...monthly(0, 8), survey(day(190), 9))).toBe("SPONSOR");
    expect(stageOn(200, ...monthly(-1, 8), survey(day(190), 9))).toBe("ACCOUNT");
  });

  test("a 9 makes a SPONSOR and an 8 does not; afterwards an 8 keeps it and a 7 does not", () => {
    const said = (...scores: number[]): string =>
      stageOn(220, ...monthly(1000, 8), ...scores.map((score, i) => survey(day(185 + i * 10), score)));
    expect([said(8), said(9), said(9, 8), said(9, 7), said(8, 9)]).toEqual([
      "ACCOUNT",
      "SPONSOR",
      "SPONSOR",
      "ACCOUNT",
      "SPONSOR",
    ]);
  });

  test("a 6 is a detractor's and caps at ACCOUNT, a 7 leaves PATRON alone", () => {
    const said = (score: number) => at(given([...monthly(1000, 13), survey(day(361), score)]), day(362));
    expect(said(7).classification).toMatchObject({ stage: "PATRON", tags: ["CURRENT"] });
    expect(said(6).classification).toMatchObject({ stage: "ACCOUNT", tags: ["CURRENT", "DETRACTOR"] });
  });

  test("a cap at ACCOUNT does not break the tenure, a cap at BUYER does (S6.2)", () => {
    const customer = given([
      ...monthly(1000, 13),
      survey(day(361), 6),
      order("x", day(390), { categories: CATEGORIES }),
    ]);
    expect(at(customer, day(395)).facts.accountSince).toBe(day(180));
    const overdue = given([
      ...monthly(1000, 13),
      order("due", day(361), { dueAt: day(300), categories: CATEGORIES }),
    ]);
    expect(at(overdue, day(362))).toMatchObject({
      classification: { stage: "BUYER" },
      facts: { accountSince: null },
    });
  });

  test("of two surveys at one instant the greater event id counts, whichever came first (S3.6)", () => {
    const a = survey(day(0), 3, { surveyId: "a", eventId: "a" });
    const b = survey(day(0), 9, { surveyId: "b", eventId: "b" });
    for (const events of [
      [a, b],
      [b, a],
    ])
      expect(at(given(events), day(1)).facts.survey).toBe(9);
  });
});

describe("value and attention (S6.3, S6.4)", () => {
  test("A is entered at its threshold and held down to nine tenths of it, which is kept too", () => {
    const valueAfter = (...profits: number[]): string => {
      // Each profit replaces the one before as of its day.
      const events = profits.map((profit, i) =>
        order("o1", day(i), { amountMinor: 200_000, costMinor: 200_000 - profit, revision: i }),
      );
      return at(given(events), day(profits.length)).classification.value;
    };
    expect(valueAfter(100_000)).toBe("A");
    expect(valueAfter(99_999)).toBe("B");
    expect(valueAfter(100_000, 90_000)).toBe("A");
    expect(valueAfter(100_000, 89_999)).toBe("B");
    expect(valueAfter(99_999, 90_000)).toBe("B");
    expect(valueAfter(100_000, 18_000)).toBe("B");
    expect(valueAfter(20_000, 17_999)).toBe("C");
    expect(valueAfter(0)).toBe("C");
    expect(valueAfter(-1)).toBe("D");
  });

  test("a loss is reviewed until 180 days after the first order, then divested of once it lapses", () => {
    const customer = given([order("o1", day(0), { amountMinor: 100, costMinor: 200 })], testPolicy());
    expect([day(180) - 1, day(180)].map((t) => at(customer, t).classification.attention)).toEqual([
      "REVIEW",
      "DIVEST",
    ]);
  });

  test("who asks without ever buying is not divested of, whatever it costs", () => {
    const customer = given([
      inquiry(day(0), { handlingCostMinor: 100 }),
      inquiry(day(200), { handlingCostMinor: 1 }),
    ]);
    expect(at(customer, day(300)).classification.attention).toBe("REVIEW");
  });
});
