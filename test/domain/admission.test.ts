import { describe, expect, test } from "vitest";
import type { CustomerEvent } from "../../src/domain/events.ts";
import { foldEvent } from "../../src/domain/fold.ts";
import { testPolicy } from "../policy.ts";
import { cancelled, DAY, day, event, given, inquiry, order, paid, refunded, survey } from "./story.ts";
import { instant } from "../../src/shared/instant.ts";

const POLICY = testPolicy();
const HORIZON = POLICY.horizonMs / DAY;

function outcome(known: readonly CustomerEvent[], next: CustomerEvent): string {
  const folded = foldEvent(given(known), next, null, { policy: POLICY, quiet: false, forget: true });
  return folded.kind === "dead_letter" ? folded.reason : folded.kind;
}

describe("amendments of settled facts (S2.4)", () => {
  const newest = inquiry(day(HORIZON));

  test.each<[string, CustomerEvent, CustomerEvent]>([
    ["an order revised", order("o1", day(0)), order("o1", day(HORIZON), { revision: 1 })],
    ["an order cancelled", order("o1", day(0)), cancelled("o1", day(HORIZON))],
    ["an order paid", order("o1", day(0)), paid("o1", day(HORIZON))],
    ["an order refunded", order("o1", day(0)), refunded("o1", day(HORIZON), 1)],
    ["an order of which only the payment was known", paid("o1", day(0)), order("o1", day(HORIZON))],
    ["an order of which only the cancellation was known", cancelled("o1", day(0)), order("o1", day(HORIZON))],
    ["an order of which only a refund was known", refunded("o1", day(0), 1), order("o1", day(HORIZON))],
    [
      "an inquiry",
      inquiry(day(0), { inquiryId: "i" }),
      inquiry(day(HORIZON), { inquiryId: "i", revision: 1 }),
    ],
    [
      "a survey",
      survey(day(0), 9, { surveyId: "s" }),
      survey(day(HORIZON), 5, { surveyId: "s", revision: 1 }),
    ],
  ])(
    "%s: accepted when it is just the horizon old, a millisecond later no more",
    (_name, fact, amendment) => {
      expect(outcome([fact, newest], amendment)).toBe("folded");
      const later = { ...amendment, occurredAt: instant(day(HORIZON) + 1) } as CustomerEvent;
      // The amendment itself may be the newest fact.
      expect(outcome([fact, newest], later)).toBe("too_late");
      expect(outcome([fact], later)).toBe("too_late");
    },
  );

  test("what was known first of an order with several refunds decides", () => {
    const known = [refunded("o1", day(5), 1, { refundId: "r2" }), refunded("o1", day(0), 1)];
    expect(outcome([...known, inquiry(day(HORIZON + 1))], order("o1", day(HORIZON)))).toBe("too_late");
  });

  test("an attribute recorded anew is a new fact, however old the one it replaces", () => {
    const record = (at: ReturnType<typeof day>) =>
      event("customers", at, { kind: "RECORDED", source: "crm", attributes: { model: "B2B" } });
    expect(outcome([record(day(0)), newest], record(day(HORIZON + 500)))).toBe("folded");
  });
});
