import { describe, expect, test } from "vitest";
import type { PolicyFile } from "../../src/domain/policy-file-format.ts";
import { resolvePolicy } from "../../src/domain/resolve-policy.ts";
import { testPolicy } from "../policy.ts";
import { at, DAY, day, given, order, recorded } from "./story.ts";

function problemsOf(file: Partial<PolicyFile>): string[] {
  const resolved = resolvePolicy({ version: "test", ...file }, (text) => text);
  return "problems" in resolved ? resolved.problems.map(({ path }) => path) : [];
}

describe("parameter sets (S5.3)", () => {
  test.each([
    ["B2C", null, 60, 30, 365, 180, 90, [3, 2], [200_000, 150_000], [100_000, 20_000]],
    ["B2B", { model: ["B2B"] }, 45, 45, 540, 365, 180, [4, 3], [5_000_000, 3_750_000], [2_000_000, 400_000]],
  ] as const)(
    "%s is as the table has it",
    (name, match, m0, min, max, first, interest, [enter, hold], [revenue, revenueHold], [a, b]) => {
      const { profiles } = testPolicy();
      expect(profiles.map((profile) => profile.name)).toEqual(["B2B", "B2C"]);
      expect(profiles.find((profile) => profile.name === name)).toMatchObject({
        match,
        lapse: {
          factor: 2,
          priorGapMs: m0 * DAY,
          priorWeight: 3,
          minMs: min * DAY,
          maxMs: max * DAY,
          firstMs: first * DAY,
        },
        interestMs: interest * DAY,
        surveyMs: 365 * DAY,
        fitThreshold: 0.6,
        payment: { slowDays: 15, badDays: 30, overdueMs: 60 * DAY },
        account: {
          occasions: { enter: 6, hold: 4 },
          spanMs: { enter: 180 * DAY, hold: 90 * DAY },
          categories: { enter, hold },
        },
        patron: { revenueMinor: { enter: revenue, hold: revenueHold }, tenureMs: 180 * DAY },
        value: { aMinor: a, bMinor: b },
      });
    },
  );

  test("a profile states what differs from the built-in one of its name, or of B2C (I4)", () => {
    const { profiles } = testPolicy({
      profiles: [
        { name: "B2B", lapse: { minDays: 10 }, levers: { TESTER: "call" } },
        { name: "KEY", match: { channel: ["DRUG"] }, account: { spanDays: { hold: 10 } } },
        { name: "B2C" },
      ],
    });
    const [b2b, key] = profiles;
    expect(b2b).toMatchObject({
      match: { model: ["B2B"] },
      lapse: { minMs: 10 * DAY, priorGapMs: 45 * DAY },
      levers: { TESTER: "call", PATRON: "involve, give priority" },
    });
    expect(key).toMatchObject({
      lapse: { priorGapMs: 60 * DAY },
      account: { spanMs: { enter: 180 * DAY, hold: 10 * DAY } },
    });
  });

  test("the first profile whose every attribute matches at that time applies, so a record moves the customer at its own instant", () => {
    const policy = testPolicy({
      profiles: [
        { name: "KEY", match: { model: ["B2B"], channel: ["DRUG", "MASS"] } },
        { name: "B2B" },
        { name: "B2C" },
      ],
    });
    const customer = given(
      [
        order("o1", day(0)),
        recorded(day(10), { model: "B2B", channel: "MASS" }),
        recorded(day(20), { channel: "GROCERY" }),
        recorded(day(30), { model: null }),
      ],
      policy,
    );
    expect([9, 10, 19, 20, 30].map((n) => at(customer, day(n), policy).facts.profile)).toEqual([
      "B2C",
      "KEY",
      "KEY",
      "B2B",
      "B2C",
    ]);
  });
});

describe("fit (S5.2)", () => {
  const criteria = [
    { attribute: "channel", anyOf: ["DRUG", "GROCERY"], weight: 3 },
    { attribute: "governance", anyOf: ["CORPORATE"], weight: 2 },
  ];
  const statusWith = (attributes: Record<string, string>, idealCustomer = criteria): string => {
    const policy = testPolicy({ profiles: [{ name: "B2C", idealCustomer }] });
    return at(given([recorded(day(0), attributes)], policy), day(1), policy).classification.status;
  };

  test("just the threshold is enough, an unknown attribute does not match", () => {
    expect(statusWith({ channel: "DRUG" })).toBe("PROBABLE");
    expect(statusWith({ governance: "CORPORATE" })).toBe("UNQUALIFIED");
    expect(statusWith({ channel: "DRUG", canBuy: "false" })).toBe("UNQUALIFIED");
  });

  test("decimal weights add up exactly: 0.1 and 0.7 of 1 are 0.8 (S1)", () => {
    const idealCustomer = [0.1, 0.7, 0.2].map((weight, i) => ({
      attribute: `a${i}`,
      anyOf: ["yes"],
      weight,
    }));
    const policy = testPolicy({ profiles: [{ name: "B2C", fitThreshold: 0.8, idealCustomer }] });
    const customer = given([recorded(day(0), { a0: "yes", a1: "yes" })], policy);
    expect(at(customer, day(1), policy)).toMatchObject({
      classification: { status: "PROBABLE" },
      facts: { fit: 0.8 },
    });
    const tiny = [1e-7, 2.5e-7].map((weight, i) => ({ attribute: `a${i}`, anyOf: ["yes"], weight }));
    expect(
      testPolicy({ profiles: [{ name: "B2C", idealCustomer: tiny }] }).profiles[0]?.idealCustomer,
    ).toMatchObject([{ weight: 10 }, { weight: 25 }]);
  });

  test("without criteria nobody fits", () => {
    expect(statusWith({ channel: "DRUG" }, [])).toBe("UNQUALIFIED");
  });
});

describe("what a policy may not say (I4)", () => {
  test("hold above enter, but as much is allowed", () => {
    const account = (enter: number, hold: number): Partial<PolicyFile> => ({
      profiles: [{ name: "B2C", account: { occasions: { enter, hold } } }],
    });
    expect(problemsOf(account(5, 5))).toEqual([]);
    expect(problemsOf(account(5, 6))).toEqual(["/profiles/0/account/occasions/hold"]);
  });

  test("bounds in the wrong order", () => {
    const profiles = [
      {
        name: "B2C",
        lapse: { minDays: 31, maxDays: 30 },
        payment: { slowDays: 31, badDays: 30 },
        value: { aMinor: 1, bMinor: 2 },
      },
    ];
    expect(problemsOf({ profiles })).toEqual([
      "/profiles/0/lapse/minDays",
      "/profiles/0/payment/slowDays",
      "/profiles/0/value/bMinor",
    ]);
  });

  test("a last profile that leaves somebody out, one before it that takes everybody, a name twice", () => {
    expect(problemsOf({ profiles: [{ name: "B2C", match: { model: ["B2C"] } }] })).toEqual([
      "/profiles/0/match",
    ]);
    expect(problemsOf({ profiles: [{ name: "X" }, { name: "B2C" }] })).toEqual(["/profiles/0"]);
    expect(
      problemsOf({ profiles: [{ name: "B2B" }, { name: "B2B", match: { a: ["b"] } }, { name: "B2C" }] }),
    ).toEqual(["/profiles/1/name"]);
  });

  test("unknown zones and currencies, a rate for the base currency, two rates from one instant", () => {
    const rate = { from: "2024-01-01T00:00:00Z", rate: 1 };
    expect(problemsOf({ timezone: "Mars/Olympus", baseCurrency: "ZZZ" })).toEqual([
      "/timezone",
      "/baseCurrency",
    ]);
    expect(problemsOf({ rates: { EUR: [rate], ZZZ: [rate], USD: [rate, rate] } })).toEqual([
      "/rates/EUR",
      "/rates/ZZZ",
      "/rates/USD",
    ]);
  });

  test("equal rules have equal hashes, whatever their order or version; others do not", () => {
    const hash = (file: Partial<PolicyFile>): string => testPolicy(file).hash;
    expect(hash({ version: "a" })).toBe(hash({ version: "b" }));
    expect(hash({ profiles: [{ name: "B2C", interestDays: 90, surveyDays: 365 }] })).toBe(
      hash({ profiles: [{ surveyDays: 365, interestDays: 90, name: "B2C" }] }),
    );
    expect(hash({ timezone: "Europe/Rome" })).not.toBe(hash({}));
  });
});
