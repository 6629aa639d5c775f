import fc from "fast-check";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { recordOfLine } from "../../../src/adapters/embedded/event-line.ts";
import { acceptEvent, GREATEST_ID_BYTES, type Decoded } from "../../../src/domain/accept.ts";
import {
  DEAD_LETTER_REASONS,
  FACT_TOPICS,
  INPUT_TOPICS,
  type FactTopic,
} from "../../../src/domain/events.ts";
import { bodyOf, frame, openWire, ownSchema, VALUES, type Wire } from "./wire.ts";

vi.setConfig({ testTimeout: 60_000 });

let wire: Wire;
beforeAll(async () => {
  wire = await openWire();
});

const topics = fc.constantFrom(...FACT_TOPICS);

/** An event as the domain knows them, or a reason of S2.3 with a sentence: nothing else may come out. */
function expectSound(topic: FactTopic, decoded: Decoded): void {
  if (decoded.kind === "event") {
    expect(decoded.event.topic).toBe(topic);
    expect(decoded.event.customerId.isWellFormed()).toBe(true);
    // What was accepted once is accepted again, and is the same.
    expect(acceptEvent(topic, decoded.event)).toEqual(decoded);
  } else {
    expect(DEAD_LETTER_REASONS).toContain(decoded.reason);
    expect(decoded.detail).not.toBe("");
  }
}

describe("whatever the bytes, an event or a dead letter (S2.3)", () => {
  test("random bytes, framed or not", async () => {
    const anyBytes = fc.uint8Array({ maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(topics, anyBytes, fc.integer({ min: 0, max: 9 }), async (topic, bytes, id) => {
        expectSound(topic, await wire.decode(topic, bytes));
        expectSound(topic, await wire.decode(topic, frame(id, bytes)));
        expectSound(
          topic,
          await wire.decode(topic, bytes, { headers: [["__value_schema_id", bytes.subarray(0, 5)]] }),
        );
      }),
      { numRuns: 800 },
    );
  });

  test("sound records that were cut, or in which bytes were changed, put in or taken out", async () => {
    const edit = fc.record({
      at: fc.nat(300),
      take: fc.constantFrom(0, 0, 1, 2, 50),
      put: fc.uint8Array({ maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(topics, fc.array(edit, { minLength: 1, maxLength: 3 }), async (topic, edits) => {
        let bytes = frame(wire.ids[topic], bodyOf(ownSchema(topic), VALUES[topic]));
        for (const { at, take, put } of edits) {
          const from = 5 + (at % (bytes.length - 4));
          bytes = Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + take)]);
        }
        expectSound(topic, await wire.decode(topic, bytes));
      }),
      { numRuns: 600 },
    );
  });

  test("every beginning of a record, read as every topic", async () => {
    for (const topic of FACT_TOPICS) {
      const whole = frame(wire.ids[topic], bodyOf(ownSchema(topic), VALUES[topic]));
      for (let length = 0; length < whole.length; length++) {
        expect(await wire.decode(topic, whole.subarray(0, length))).toMatchObject({ reason: "undecodable" });
      }
      for (const other of FACT_TOPICS) expectSound(other, await wire.decode(other, whole));
    }
  });
});

const ODD_TEXTS = [
  "",
  "\u0000",
  "a\u0000b",
  "\ufffd",
  "__proto__",
  "constructor",
  "null",
  " ",
  "é".repeat(GREATEST_ID_BYTES / 2),
  "é".repeat(GREATEST_ID_BYTES / 2 + 1),
  "x".repeat(10_000),
  "\u{10ffff}",
];
const texts = fc.oneof(fc.constantFrom(...ODD_TEXTS), fc.string({ unit: "binary" }), fc.string());
/** Not below −2⁵², where avsc, which writes here, is not exact. */
const longs = fc.oneof(
  fc.constantFrom(
    0,
    -0,
    1,
    -1,
    2 ** 31,
    2 ** 53 - 3,
    1 - 2 ** 52,
    631_152_000_000,
    631_151_999_999,
    253_402_300_800_000,
  ),
  fc.integer({ min: 1 - 2 ** 52, max: 2 ** 53 - 3 }),
  fc.integer({ min: 1_600_000_000_000, max: 1_800_000_000_000 }),
);
const ints = fc.oneof(fc.integer({ min: -2, max: 12 }), fc.integer());
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary);
/** Mostly the sound value, sometimes anything that the schema can carry. */
const around = <T>(sound: T, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(sound), weight: 4 }, { arbitrary: odd, weight: 1 });
const base = {
  eventId: around("e1", texts),
  customerId: around("c1", texts),
  occurredAt: around(1_736_000_000_000, longs),
};

const RAW: Readonly<Record<(typeof INPUT_TOPICS)[number], fc.Arbitrary<object>>> = {
  orders: fc.record({
    ...base,
    orderId: around("o1", texts),
    kind: fc.oneof(fc.constantFrom("PLACED", "PAID", "CANCELLED", "REFUNDED"), texts),
    revision: around(0, longs),
    amountMinor: around<number | null>(4990, optional(longs)),
    currency: around<string | null>("EUR", optional(texts)),
    costMinor: around(0, longs),
    units: around(1, longs),
    categories: around<string[]>(["tea"], fc.array(texts, { maxLength: 3 })),
    dueAt: around<number | null>(null, optional(longs)),
    referredBy: around<string | null>(null, optional(texts)),
    refundId: around<string | null>("r1", optional(texts)),
  }),
  inquiries: fc.record({
    ...base,
    inquiryId: around("i1", texts),
    kind: fc.oneof(fc.constantFrom("QUOTE", "VISIT", "COMPLAINT"), texts),
    revision: around(0, longs),
    handlingCostMinor: around(0, longs),
    currency: around<string | null>(null, optional(texts)),
  }),
  surveys: fc.record({
    ...base,
    surveyId: around("s1", texts),
    score: around(9, ints),
    scaleMin: around(0, ints),
    scaleMax: around(10, ints),
    revision: around(0, longs),
  }),
  customers: fc.record({
    ...base,
    kind: fc.oneof(fc.constantFrom("RECORDED", "ERASED"), texts),
    source: around("crm", texts),
    attributes: fc
      .array(fc.tuple(texts, optional(texts)), { maxLength: 4 })
      // As JSON.parse makes them: a name is a name, whatever it is.
      .map(
        (entries) =>
          JSON.parse(
            `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join()}}`,
          ) as object,
      ),
  }),
};

/** Names and values alike, also of attributes called __proto__. */
function plain(decoded: Decoded | undefined): unknown {
  if (decoded?.kind !== "event") return decoded;
  return Object.entries(decoded.event).map(([name, value]: [string, unknown]) =>
    name === "attributes" ? [name, Object.entries(value as object).sort()] : [name, value],
  );
}

describe.each(INPUT_TOPICS)("an event of %s is the same from a file and from the wire (A8)", (topic) => {
  test("accepted, or refused for the same reason", async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(RAW[topic], async (raw) => {
        const line = Buffer.from(JSON.stringify({ topic, ...raw }));
        const { decoded: fromFile } = recordOfLine(
          "f",
          { number: 1, bytes: line, cutFromBytes: null },
          false,
        );
        const key = Buffer.from((raw as { customerId: string }).customerId);
        const fromWire = await wire.decode(topic, frame(wire.ids[topic], bodyOf(ownSchema(topic), raw)), {
          key,
        });
        expectSound(topic, fromWire);
        expect(plain(fromWire)).toEqual(plain(fromFile));
        if (fromWire.kind === "event") accepted++;
      }),
      { numRuns: 600 },
    );
    expect(accepted).toBeGreaterThan(100);
  });
});

describe("texts that JSON can hold and UTF-8 can't are refused (S2.3 invalid_field)", () => {
  const HALF = "\ud83d";
  test.each([
    ["orders", "orderId", { orderId: HALF }],
    ["orders", "customerId", { customerId: `c${HALF}` }],
    ["orders", "referredBy", { referredBy: HALF }],
    ["orders", "categories", { categories: ["tea", HALF] }],
    ["customers", "source", { source: HALF }],
    ["customers", "attributes", { attributes: { [HALF]: "x" } }],
    ["customers", "attributes", { attributes: { channel: HALF } }],
  ] as const)("%s: %s", (topic, field, changed) => {
    const decoded = acceptEvent(topic, JSON.parse(JSON.stringify({ ...VALUES[topic], ...changed })));
    expect(decoded).toMatchObject({
      reason: "invalid_field",
      detail: expect.stringContaining(field) as string,
    });
  });
});
