import { describe, expect, test } from "vitest";
import { calendarOf } from "../../src/domain/calendar.ts";
import { at, given, order } from "./story.ts";
import { instant } from "../../src/shared/instant.ts";
import { testPolicy } from "../policy.ts";

const iso = (ms: number): string => new Date(ms).toISOString();
const month = (year: number, number: number): number => year * 12 + number - 1;

describe("calendar days and months (S1)", () => {
  test.each([
    ["UTC", "2024-03-01T00:00:00.000Z"],
    ["Europe/Rome", "2024-02-29T23:00:00.000Z"],
    ["America/New_York", "2024-03-01T05:00:00.000Z"],
    ["Pacific/Auckland", "2024-02-29T11:00:00.000Z"],
    ["Asia/Kolkata", "2024-02-29T18:30:00.000Z"],
  ])("the local midnight that opens March in %s", (timezone, expected) => {
    const calendar = calendarOf(timezone);
    const opens = calendar.monthStart(month(2024, 3));
    expect(iso(opens)).toBe(expected);
    expect([calendar.month(opens - 1), calendar.month(opens)]).toEqual([month(2024, 2), month(2024, 3)]);
    expect(calendar.day(opens) - calendar.day(opens - 1)).toBe(1);
  });

  test("summer time holds from its first millisecond to its last", () => {
    const rome = calendarOf("Europe/Rome");
    // 31 March 2024 has 23 hours, 27 October 2024 has 25.
    const lengths = ["2024-03-31", "2024-10-27"].map((text) => {
      const day = Math.floor(Date.parse(text) / 86_400_000);
      const middle = Date.parse(`${text}T11:00:00Z`);
      const first = [...Array(30).keys()]
        .map((h) => middle - h * 3_600_000)
        .findLast((t) => rome.day(t) === day)!;
      const last = [...Array(30).keys()]
        .map((h) => middle + h * 3_600_000)
        .findLast((t) => rome.day(t) === day)!;
      return (last - first) / 3_600_000 + 1;
    });
    expect(lengths).toEqual([23, 25]);
    const turn = Date.parse("2024-06-30T22:00:00Z");
    expect([rome.month(turn - 1), rome.month(turn)]).toEqual([month(2024, 6), month(2024, 7)]);
  });

  test("where the clock skips midnight a month begins with the first instant of its first day", () => {
    // Paraguay put its clocks forward at midnight of 1 October 2023.
    const calendar = calendarOf("America/Asuncion");
    expect(iso(calendar.monthStart(month(2023, 10)))).toBe("2023-10-01T04:00:00.000Z");
  });

  test("where the clock is put back at midnight the day goes on", () => {
    // Chile at midnight of 7 April 2024, which so became eleven in the evening of the sixth.
    const calendar = calendarOf("America/Santiago");
    const turn = Date.parse("2024-04-07T03:00:00Z");
    expect(calendar.day(turn)).toBe(calendar.day(turn - 1));
    expect(calendar.day(turn + 3_600_000 - 1)).toBe(calendar.day(turn));
    expect(calendar.day(turn + 3_600_000)).toBe(calendar.day(turn) + 1);
  });

  test("where it is put back over midnight the day that has begun goes on, so that no day is an occasion twice (S3.3)", () => {
    // Until 2011 Newfoundland put its clocks back at 00:01, to 23:01 of the day before.
    const policy = testPolicy({ timezone: "America/St_Johns" });
    const evening = ["02:20:00", "02:30:30", "02:40:00", "03:40:00"].map((time, i) =>
      order(`o${i}`, instant(Date.parse(`2010-11-07T${time}Z`))),
    );
    const later = Date.parse("2010-11-08T00:00:00Z");
    expect(at(given(evening, policy), later, policy).facts.occasionsEver).toBe(2);
  });

  test("years, leap years and centuries fall where they should", () => {
    const utc = calendarOf("UTC");
    for (const text of [
      "1990-01-01",
      "1999-12-31",
      "2000-02-29",
      "2024-02-29",
      "2025-03-01",
      "2100-02-28",
      "2100-03-01",
    ]) {
      const date = new Date(`${text}T00:00:00Z`);
      expect(utc.month(date.getTime())).toBe(month(date.getUTCFullYear(), date.getUTCMonth() + 1));
    }
    expect(iso(utc.monthStart(month(2026, 1)))).toBe("2026-01-01T00:00:00.000Z");
  });

  test("a zone that is none is refused", () => {
    expect(() => calendarOf("Mars/Olympus")).toThrow(RangeError);
  });

  test("an occasion is a day of the policy's zone (S3.3)", () => {
    const events = [
      order("o1", instant(Date.parse("2025-06-01T21:59:59.999Z"))),
      order("o2", instant(Date.parse("2025-06-01T22:00:00Z"))),
    ];
    const rome = testPolicy({ timezone: "Europe/Rome" });
    const later = Date.parse("2025-06-03T00:00:00Z");
    expect(at(given(events, rome), later, rome).facts.occasionsEver).toBe(2);
    expect(at(given(events), later).facts.occasionsEver).toBe(1);
  });
});
