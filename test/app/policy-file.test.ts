import { describe, expect, test } from "vitest";
import { builtInPolicy, parsePolicy, policyFromText, policyText } from "../../src/app/policy-file.ts";
import { toBase } from "../../src/domain/money.ts";
import { UsageError } from "../../src/pipeline/errors.ts";

function problemsOf(file: unknown): readonly string[] {
  try {
    parsePolicy(typeof file === "string" ? file : JSON.stringify(file), "p.json");
  } catch (error) {
    if (error instanceof UsageError) return error.problems;
    throw error;
  }
  return [];
}

describe("a policy file (I4)", () => {
  test("five mistakes of form are reported at once, each with its path", () => {
    const problems = problemsOf({
      version: "x",
      horizonDays: 10,
      profiles: [
        { name: "B2C", interestDays: "90", lapse: { factor: -1 }, colour: "red", value: { aMinor: 1.5 } },
      ],
    });
    expect(problems).toHaveLength(5);
    for (const path of [
      "/horizonDays",
      "/profiles/0/interestDays",
      "/profiles/0/lapse/factor",
      "colour",
      "/profiles/0/value/aMinor",
    ]) {
      expect(problems.some((problem) => problem.includes(path))).toBe(true);
    }
  });

  test("five mistakes of meaning are reported at once", () => {
    const problems = problemsOf({
      version: "x",
      timezone: "Mars/Olympus",
      rates: {
        EUR: [{ from: "2024-01-01T00:00:00Z", rate: 1 }],
        QQQ: [{ from: "2024-01-01T00:00:00Z", rate: 1 }],
      },
      profiles: [{ name: "B2C", account: { occasions: { enter: 3, hold: 5 } } }, { name: "rest" }],
    });
    expect(problems).toHaveLength(5);
  });

  test("what is not JSON is said with the file's name", () => {
    expect(problemsOf("{ version: 1 }")[0]).toMatch(/^policy p\.json is not JSON/);
  });

  test("a profile states what differs from the built-in one of its name, or of B2C (S5.3)", () => {
    const { profiles } = parsePolicy(
      JSON.stringify({
        version: "x",
        profiles: [
          { name: "B2B", interestDays: 10 },
          { name: "shop", surveyDays: 30 },
        ],
      }),
      "p",
    );
    expect(profiles[0]).toMatchObject({
      interestMs: 10 * 86_400_000,
      lapse: { firstMs: 365 * 86_400_000 },
      match: { model: ["B2B"] },
    });
    expect(profiles[1]).toMatchObject({
      surveyMs: 30 * 86_400_000,
      lapse: { firstMs: 180 * 86_400_000 },
      match: null,
    });
  });

  test("quoted rates are exact, scaled by ISO 4217 digits, rounded half away from zero (S1)", () => {
    const policy = parsePolicy(
      JSON.stringify({
        version: "x",
        rates: {
          USD: [
            { from: "2024-01-01T00:00:00Z", rate: 0.92 },
            { from: "2025-01-01T00:00:00Z", rate: 0.5 },
          ],
          JPY: [{ from: "2024-01-01T00:00:00Z", rate: 0.0062 }],
          KWD: [{ from: "2024-01-01T00:00:00Z", rate: 3.01 }],
        },
      }),
      "p",
    );
    const in2024 = Date.UTC(2024, 5, 1);
    expect(toBase(policy, 1000, "USD", in2024)).toBe(920);
    expect(toBase(policy, 1001, "USD", Date.UTC(2025, 0, 1))).toBe(501);
    expect(toBase(policy, 1000, "JPY", in2024)).toBe(620);
    expect(toBase(policy, 1000, "KWD", in2024)).toBe(301);
    expect(toBase(policy, 1, "USD", Date.UTC(2023, 0, 1))).toBeNull();
  });

  test("equal rules have equal hashes, whatever the version is called; the text reads back the same", () => {
    const a = parsePolicy(
      JSON.stringify({
        version: "a",
        timezone: "Europe/Rome",
        rates: { USD: [{ from: "2024-01-01T00:00:00Z", rate: 0.9 }] },
      }),
      "p",
    );
    const b = parsePolicy(
      JSON.stringify({
        rates: { USD: [{ rate: 0.9, from: "2024-01-01T00:00:00Z" }] },
        timezone: "Europe/Rome",
        version: "b",
      }),
      "p",
    );
    expect(a.hash).toBe(b.hash);
    expect(a.hash).not.toBe(builtInPolicy().hash);
    expect(policyFromText(policyText(a))).toEqual(a);
  });
});
