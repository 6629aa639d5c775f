import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readLine, recordOfLine } from "../../../src/adapters/embedded/event-line.ts";
import { hashOfId, LineScanner } from "../../../src/adapters/embedded/line-scan.ts";
import { plainInstant } from "../../../src/adapters/embedded/plain-instant.ts";
import { readPlainObject } from "../../../src/adapters/embedded/plain-object.ts";
import { acceptEvent } from "../../../src/domain/accept.ts";
import { INPUT_TOPICS, type FactTopic } from "../../../src/domain/events.ts";
import { parseInstant } from "../../../src/shared/instant.ts";

const oddText = fc.oneof(
  fc.constantFrom("x".repeat(600), "", "null", "{}", "a,b", "customerId", 'say "hi"', "tab\t", "back\\slash"),
  fc.string({ unit: "grapheme", maxLength: 8 }),
);
/** Almost always as it should be, so that a whole line has a chance to be. */
const mostly = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: odd });
const text = mostly(fc.constantFrom("c1", "o1", "EUR", "tea", "crm"), oddText);
const count = mostly(
  fc.nat(20),
  fc.oneof(
    oddText,
    fc.constantFrom<unknown>(
      null,
      -1,
      0.5,
      1e21,
      -0,
      true,
      2 ** 53,
      123_456_789_012_345,
      1_234_567_890_123_456,
    ),
  ),
);
const instant = mostly(
  fc.oneof(
    fc
      .date({ min: new Date("1989-12-01"), max: new Date("2040-01-01"), noInvalidDate: true })
      .map((date) => date.toISOString()),
    fc.integer({ min: 600_000_000_000, max: 1_900_000_000_000 }),
    fc.constantFrom("2025-01-31T09:30:00Z", "2025-01-01T09:30:00+02:00"),
  ),
  fc.oneof(
    oddText,
    fc.constantFrom(
      "2025-02-30T00:00:00Z",
      "2025-02-30T00:00:00.000Z",
      "2025-04-31T24:00:00Z",
      "2025-01-01T23:59:60Z",
      "0050-01-01T00:00:00Z",
      "2025-01-01",
      "2025-13-01T00:00:00Z",
    ),
  ),
);
const list = mostly(fc.array(text, { maxLength: 3 }), fc.oneof(oddText, fc.constantFrom([1], [null], {})));
const customerId = mostly(
  fc.constantFrom("c1", "c2"),
  fc.constantFrom<unknown>("é", "\u{1f600}", "\ud800", 5, ""),
);
const base = { eventId: text, customerId, occurredAt: instant, revision: count };
const option = <T>(field: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(field);
/** Events of each topic, with a wrong or an unknown field now and then. */
const raw = fc
  .tuple(
    fc.oneof(
      fc.record({
        topic: fc.constant<unknown>("orders"),
        kind: fc.constantFrom("PLACED", "PAID", "REFUNDED"),
        ...base,
        orderId: text,
        amountMinor: count,
        currency: option(fc.constantFrom("EUR", "USD", "eur")),
        units: count,
        categories: option(list),
        dueAt: option(instant),
        referredBy: option(text),
        refundId: text,
      }),
      fc.record({
        topic: fc.constant("inquiries"),
        kind: fc.constantFrom("QUOTE", "VISIT"),
        ...base,
        inquiryId: text,
        handlingCostMinor: count,
      }),
      fc.record({
        topic: fc.constant("surveys"),
        ...base,
        surveyId: text,
        score: fc.nat(10),
        scaleMin: fc.constantFrom(0, 1),
        scaleMax: fc.constant(10),
      }),
      fc.record({
        topic: fc.constant("customers"),
        kind: fc.constantFrom("RECORDED", "ERASED"),
        ...base,
        source: text,
        attributes: fc.dictionary(fc.constantFrom("model", "customerId", "occurredAt"), text, {
          maxKeys: 2,
          noNullPrototype: true,
        }),
      }),
    ),
    fc.dictionary(fc.constantFrom("note", "__proto__", "topic", "source"), text, {
      maxKeys: 1,
      noNullPrototype: true,
    }),
    fc.nat(5),
  )
  .map(([event, more, chance]): Record<string, unknown> => (chance === 0 ? { ...event, ...more } : event));

/** Ways to write an object that JSON allows, and two that it does not. */
const spelt = fc
  .tuple(raw, fc.nat(11), fc.constantFrom("customerId", "occurredAt", "referredBy"))
  .chain(([object, way, key]) =>
    fc.shuffledSubarray(Object.entries(object), { minLength: Object.keys(object).length }).map((entries) => {
      const body = entries.map(([name, value]) => [JSON.stringify(name), JSON.stringify(value)] as const);
      const plain = `{${body.map(([name, value]) => `${name}:${value}`).join(",")}}`;
      switch (way) {
        case 0:
          return `{${body.map(([name, value]) => `${name}: ${value}`).join(", ")}}`;
        case 1:
          return `{ ${body.map(([name, value]) => `${name} : ${value}`).join(" , ")} }`;
        case 2:
          return plain.replace(/}$/, `,"${key}":"again"}`);
        case 3:
          return plain.replace(/}$/, `,"${key}" : "again"}`);
        case 4:
          return plain.replace(`"${key}"`, `"\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}"`);
        case 5:
          return `${plain} `;
        case 6:
          return `${plain},${plain}`;
        case 7:
          return plain.slice(0, -1);
        case 8:
          return plain.replace(/(\d),/, "0$1,");
        default:
          return plain;
      }
    }),
  );

/** What a line comes to by JSON and the domain alone. */
function acceptedFrom(line: string): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return "undecodable";
  }
  const { topic } = parsed as { topic: FactTopic };
  if (!(INPUT_TOPICS as readonly unknown[]).includes(topic)) return "no topic";
  return acceptEvent(topic, parsed);
}

function recordFrom(line: string): ReturnType<typeof recordOfLine>["decoded"] {
  return recordOfLine("f", { number: 1, bytes: Buffer.from(line), cutFromBytes: null }, false).decoded;
}

describe("lines of event files (I2)", () => {
  test("come to what JSON and the domain make of them, however plain they are", () => {
    let plain = 0;
    let events = 0;
    fc.assert(
      fc.property(spelt, (line) => {
        const expected = acceptedFrom(line);
        const decoded = recordFrom(line);
        if (typeof expected === "string") expect(decoded?.kind).toBe("dead_letter");
        else expect(decoded).toStrictEqual(expected);
        if (decoded?.kind === "event") events++;
        if (readPlainObject(Buffer.from(line)) !== null) plain++;
      }),
      { numRuns: 6000 },
    );
    expect(plain).toBeGreaterThan(300);
    expect(events).toBeGreaterThan(500);
  });

  test("are read within other bytes as alone, whatever stands around them", () => {
    const around = fc.constantFrom("", '"', '"}', '{"topic":"orders"}', ',"customerId":"d"}', "\0");
    fc.assert(
      fc.property(spelt, fc.nat(200), around, around, (line, kept, before, after) => {
        const alone = Buffer.from(line).subarray(0, line.length - (kept > 99 ? 0 : kept));
        const [start, end] = [before.length, before.length + alone.length];
        const within = Buffer.concat([Buffer.from(before), alone, Buffer.from(after)]);
        expect(readPlainObject(within, start, end)).toEqual(readPlainObject(alone));
        expect(readLine(within, null, false, start, end)).toEqual(readLine(alone, null, false));
      }),
      { numRuns: 3000 },
    );
  });

  test("are scanned for what they are: customer, instant, referrer", () => {
    const scanner = new LineScanner(3);
    let events = 0;
    fc.assert(
      fc.property(spelt, (line) => {
        const read = { number: 1, bytes: Buffer.from(line), cutFromBytes: null };
        const scanned = scanner.scan(read, false);
        expect([scanned.file, scanned.line]).toEqual([3, read]);
        const decoded = recordFrom(line);
        if (decoded?.kind !== "event" || decoded.event.topic === "referrals") return;
        events++;
        const { event } = decoded;
        expect([scanned.hash, scanned.at]).toEqual([hashOfId(event.customerId), event.occurredAt]);
        if ("referredBy" in event && event.referredBy !== null) expect(scanned.mayRefer).toBe(true);
      }),
      { numRuns: 6000 },
    );
    expect(events).toBeGreaterThan(500);
  });

  test("of a line that names no referrer, as most say it, the scan says so", () => {
    const line = (referrer: string): Buffer =>
      Buffer.from(`{"topic":"orders","customerId":"c","occurredAt":1736000000000,"referredBy":${referrer}}`);
    const mayRefer = (referrer: string): boolean =>
      new LineScanner(0).scan({ number: 1, bytes: line(referrer), cutFromBytes: null }, false).mayRefer;
    expect([mayRefer("null"), mayRefer('"d"'), mayRefer(" null")]).toEqual([false, true, true]);
  });

  test("instants in their usual form are read as others are, or left to those", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          instant.map(String),
          fc.stringMatching(
            /^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{3})?Z$/,
          ),
        ),
        (value) => {
          const bytes = Buffer.from(value);
          const found = plainInstant(bytes, 0, bytes.length);
          if (found !== null) expect(found).toBe(parseInstant(value));
        },
      ),
      { numRuns: 3000 },
    );
    const bytes = Buffer.from("2025-01-28T09:30:00.123Z");
    expect(plainInstant(bytes, 0, bytes.length)).toBe(Date.UTC(2025, 0, 28, 9, 30, 0, 123));
  });
});
