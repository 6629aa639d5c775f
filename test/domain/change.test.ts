import { describe, expect, test } from "vitest";
import type { ChangeDraft } from "../../src/domain/change.ts";
import type { Classification } from "../../src/domain/classification.ts";
import { newCustomer } from "../../src/domain/customer.ts";
import { changeIdOf } from "../../src/domain/draft.ts";
import { foldEvent } from "../../src/domain/fold.ts";
import { testPolicy } from "../policy.ts";
import { day, order } from "./story.ts";

const NONE: Classification = {
  status: "UNQUALIFIED",
  stage: "NONE",
  value: "NONE",
  attention: "MAINTAIN",
  tags: [],
};
const TESTER: Classification = {
  status: "ACTIVE",
  stage: "TESTER",
  value: "C",
  attention: "MAINTAIN",
  tags: [],
};
const CAUSE = { kind: "EVENT", ref: { topic: "orders", eventId: "e1" } } as const;

describe("a change's id (S8)", () => {
  test("never differs between releases: subscribers tell duplicates by it", () => {
    expect(changeIdOf("c1", CAUSE, day(0), null, TESTER, null)).toBe("074015d8-38be-5b11-8ef5-3d2b116243f9");
    expect(changeIdOf("c1", { kind: "DEADLINE", ref: "lapse" }, day(180), TESTER, NONE, null)).toBe(
      "1db2ec24-b2cb-5e02-a850-435f87f56298",
    );
  });

  test("depends on customer, cause, instant, both classifications, and what is corrected", () => {
    const ids = [
      changeIdOf("c1", CAUSE, day(0), NONE, TESTER, null),
      changeIdOf("c2", CAUSE, day(0), NONE, TESTER, null),
      changeIdOf("c1", { ...CAUSE, kind: "LATE" }, day(0), NONE, TESTER, null),
      changeIdOf("c1", { ...CAUSE, ref: { topic: "orders", eventId: "e2" } }, day(0), NONE, TESTER, null),
      changeIdOf("c1", { ...CAUSE, ref: { topic: "surveys", eventId: "e1" } }, day(0), NONE, TESTER, null),
      changeIdOf("c1", CAUSE, day(1), NONE, TESTER, null),
      changeIdOf("c1", CAUSE, day(0), null, TESTER, null),
      changeIdOf("c1", CAUSE, day(0), TESTER, NONE, null),
      changeIdOf("c1", CAUSE, day(0), NONE, { ...TESTER, tags: ["PROMOTER"] }, null),
      changeIdOf("c1", CAUSE, day(0), NONE, TESTER, "074015d8-38be-5b11-8ef5-3d2b116243f9"),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("an order amended to and fro (S7.2)", () => {
  test("gives corrections with ids of their own, though they lead through the same classifications", () => {
    const customer = newCustomer("c1");
    const options = { policy: testPolicy(), quiet: false, forget: true };
    const ids: string[] = [];
    const told = (event: Parameters<typeof foldEvent>[1]): void => {
      const outcome = foldEvent(customer, event, null, options);
      if (outcome.kind !== "folded") throw new Error("it was not folded");
      for (const change of outcome.outputs) if (change !== null) ids.push(change.changeId);
    };
    told(order("o1", day(0)));
    told(order("o2", day(10)));
    for (const [i, amountMinor] of [0, 5000, 0, 5000].entries()) {
      told(order("o2", day(10), { revision: i + 1, amountMinor, eventId: "amended" }));
    }
    expect(ids).toHaveLength(6);
    expect(new Set(ids).size).toBe(6);
  });
});

describe("what a change tells (S8, S6.6)", () => {
  test("carries the figures, the lever of its stage, and what comes next", () => {
    const customer = newCustomer("c1");
    const options = { policy: testPolicy(), quiet: false, forget: true };
    const outcome = foldEvent(
      customer,
      order("o1", day(0), { units: 3, categories: ["tea"] }),
      null,
      options,
    );
    const [change] = outcome.kind === "folded" ? (outcome.outputs as ChangeDraft[]) : [];
    expect(change).toMatchObject({
      changed: ["status", "stage", "value", "attention", "tags"],
      previous: null,
      facts: { units: 3, categories: 1, revenueMinor: 5000, lapseAt: day(180) },
      levers: "reassure, listen",
      next: { at: day(180), deadline: "lapse", becomes: { status: "INACTIVE", stage: "TESTER" } },
      supersedes: null,
    });
  });
});
