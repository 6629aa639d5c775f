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
    expect(changeIdOf("c1", CAUSE, day(0), null, TESTER)).toBe("074015d8-38be-5b11-8ef5-3d2b116243f9");
    expect(changeIdOf("c1", { kind: "DEADLINE", ref: "lapse" }, day(180), TESTER, NONE)).toBe(
      "1db2ec24-b2cb-5e02-a850-435f87f56298",
    );
  });

  test("depends on customer, cause, instant, and both classifications", () => {
    const ids = [
      changeIdOf("c1", CAUSE, day(0), NONE, TESTER),
      changeIdOf("c2", CAUSE, day(0), NONE, TESTER),
      changeIdOf("c1", { ...CAUSE, kind: "LATE" }, day(0), NONE, TESTER),
      changeIdOf("c1", { ...CAUSE, ref: { topic: "orders", eventId: "e2" } }, day(0), NONE, TESTER),
      changeIdOf("c1", { ...CAUSE, ref: { topic: "surveys", eventId: "e1" } }, day(0), NONE, TESTER),
      changeIdOf("c1", CAUSE, day(1), NONE, TESTER),
      changeIdOf("c1", CAUSE, day(0), null, TESTER),
      changeIdOf("c1", CAUSE, day(0), TESTER, NONE),
      changeIdOf("c1", CAUSE, day(0), NONE, { ...TESTER, tags: ["PROMOTER"] }),
    ];
    expect(new Set(ids).size).toBe(ids.length);
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
