import { describe, expect, test } from "vitest";
import { calendarOf } from "../../src/domain/calendar.ts";
import { B2C } from "../../src/domain/default-profiles.ts";
import { lapseOf } from "../../src/domain/lapse.ts";
import { Occasions } from "../../src/domain/occasions.ts";

const DAY = 86_400_000;
const HORIZON = 1096 * DAY;
const UTC = calendarOf("UTC");

/** D and season of occasions at these instants. */
function lapse(instants: readonly number[], parameters: Partial<typeof B2C.lapse> = {}, n = instants.length) {
  const occasions = new Occasions();
  for (const at of instants) occasions.add(at, UTC);
  return lapseOf(occasions, n, { ...B2C.lapse, ...parameters }, HORIZON, UTC);
}

/** L in days, of occasions so many days after 1 July 2010, which fall in no one season. */
function allowed(
  days: readonly number[],
  parameters: Partial<typeof B2C.lapse> = {},
  n = days.length,
): number {
  const instants = days.map((day) => Date.UTC(2010, 6, 1) + day * DAY);
  return (lapse(instants, parameters, n).lapseAt - instants.at(-1)!) / DAY;
}

function at(...dates: string[]): number[] {
  return dates.map((date) => Date.parse(date));
}

function seasonalUntil(
  instants: readonly number[],
  parameters: Partial<typeof B2C.lapse> = {},
): string | null {
  const { seasonal, lapseAt } = lapse(instants, { minMs: DAY, ...parameters });
  return seasonal ? new Date(lapseAt).toISOString().slice(0, 10) : null;
}

describe("the lapse deadline (S4.2–S4.4)", () => {
  test("with fewer than three occasions it is L₀, settled ones counted", () => {
    expect(allowed([0])).toBe(180);
    expect(allowed([0, 14])).toBe(180);
    expect(allowed([0, 14], {}, 3)).toBeCloseTo((2 * (3 * 60 + 14)) / 4, 6);
  });

  test("only the last eight gaps count", () => {
    const eight = [0, 40, 50, 60, 70, 80, 90, 100, 110];
    expect(allowed(eight)).toBeCloseTo((2 * (180 + 110)) / 11, 6);
    expect(allowed([-200, ...eight])).toBeCloseTo((2 * (180 + 110)) / 11, 6);
  });

  test("a gap counts when both its ends are within the horizon of the last occasion", () => {
    const minMs = DAY;
    expect(allowed([0, 1095, 1096], { minMs })).toBeCloseTo((2 * (180 + 1)) / 4, 6);
    expect(allowed([1, 1095, 1096], { minMs, maxMs: 9999 * DAY })).toBeCloseTo((2 * (180 + 1 + 1094)) / 5, 6);
  });

  test("L keeps within Lmin and Lmax and is whole milliseconds, rounded down", () => {
    expect(allowed([0, 1, 2], { priorWeight: 0 })).toBe(30);
    expect(allowed([0, 300, 600])).toBe(312);
    expect(allowed([0, 500, 1000])).toBe(365);
    const third = lapse([0, 10 * DAY, 20 * DAY + 1], { priorWeight: 1, factor: 1, minMs: 1 });
    expect(third.lapseAt - (20 * DAY + 1)).toBe(Math.floor((60 * DAY + 20 * DAY + 1) / 3));
  });

  test("with no gap in reach and κ = 0 it is L₀", () => {
    expect(allowed([0, 1, 1200], { priorWeight: 0 })).toBe(180);
    expect(allowed([0, 1, 1200])).toBe(120);
  });
});

describe("seasons (S4.5)", () => {
  test("seven of ten occasions are enough, fewer are not", () => {
    const december = at(
      "2022-12-05",
      "2022-12-09",
      "2022-12-20",
      "2023-12-04",
      "2023-12-08",
      "2023-12-12",
      "2023-12-20",
    );
    const others = at("2023-04-01", "2023-06-01", "2023-08-01");
    const sorted = [...december, ...others].sort((a, b) => a - b);
    expect(seasonalUntil(sorted)).not.toBeNull();
    expect(seasonalUntil([...sorted, ...at("2023-07-01")].sort((a, b) => a - b))).toBeNull();
  });

  test("one season-year is not enough, though it spans two calendar years", () => {
    expect(seasonalUntil(at("2023-12-10", "2024-01-10", "2024-02-10"))).toBeNull();
    expect(seasonalUntil(at("2023-02-10", "2023-12-10"))).not.toBeNull();
  });

  test("the greatest count decides, ties the smallest start month", () => {
    // November to January holds all; October to December only three: E is the end of January.
    expect(seasonalUntil(at("2022-11-10", "2022-12-10", "2023-01-10", "2023-12-10"))).toBe("2025-03-03");
    // June alone: April to June is the smallest start, and E the end of June.
    expect(seasonalUntil(at("2023-06-10", "2024-06-10"))).toBe("2025-07-31");
  });

  test("within a season the next one counts; at its very start too", () => {
    // January to March; the one of 2024 has begun, not just begins, at its first instant.
    expect(seasonalUntil(at("2023-01-10", "2024-01-01"))).toBe("2025-05-01");
    const before = [...at("2022-01-10", "2022-03-10", "2023-01-10", "2023-03-10"), Date.UTC(2024, 0) - 1];
    expect(seasonalUntil(before, { factor: 0.1 })).toBe("2024-05-01");
  });

  test("occasions beyond the horizon of the last one do not make a season", () => {
    const last = Date.UTC(2024, 5, 10);
    expect(seasonalUntil([last - HORIZON + 1, last])).not.toBeNull();
    expect(seasonalUntil([last - HORIZON, last])).toBeNull();
  });

  test("a lapse later than the season's end and thirty days stands", () => {
    const firstMs = 540 * DAY;
    expect(seasonalUntil(at("2023-06-10", "2024-06-10"), { firstMs })).toBe("2025-12-02");
  });
});
