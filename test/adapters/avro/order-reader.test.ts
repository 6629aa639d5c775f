import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { OrderReader } from "../../../src/adapters/avro/order-reader.ts";
import { ownType } from "../../../src/adapters/avro/schemas.ts";
import { acceptEvent } from "../../../src/domain/accept.ts";
import { bodyOf, ownSchema, VALUES } from "./wire.ts";

vi.setConfig({ testTimeout: 60_000 });

const reader = new OrderReader();
const type = ownType("orders");

/** What avsc and `acceptEvent` make of it; null: nothing. */
function generic(body: Buffer): unknown {
  let raw: unknown;
  try {
    raw = type.fromBuffer(body);
  } catch {
    return null;
  }
  const accepted = acceptEvent("orders", raw);
  return accepted.kind === "event" ? accepted.event : null;
}

const id = fc.oneof(
  fc.constantFrom("o-1", "3f0c4a52-98a1-4a53-8f4e-0a4a1d7e5c11", "", "é", "x".repeat(512), "x".repeat(513)),
  fc.string({ minLength: 1, maxLength: 40 }),
);
const number = fc.oneof(
  fc.constantFrom(0, -1, 1, 63, 64, 8191, 8192, 2 ** 31, 1e12, 1e12 + 1, 253_402_300_800_000),
  fc.nat(),
  fc.nat({ max: 2 ** 52 }),
);
const order = fc.record({
  eventId: id,
  customerId: id,
  occurredAt: fc.oneof(number, fc.integer({ min: 1_500_000_000_000, max: 1_900_000_000_000 })),
  orderId: id,
  kind: fc.constantFrom("PLACED", "PLACED", "PAID", "CANCELLED", "REFUNDED", "PLACEB", "LOST", ""),
  revision: number,
  amountMinor: fc.option(number),
  currency: fc.option(fc.constantFrom("EUR", "USD", "eur", "EURO", "€UR", "")),
  costMinor: number,
  units: number,
  categories: fc.array(fc.oneof(fc.constantFrom("tea", "cups", ""), fc.string({ maxLength: 4 })), {
    maxLength: 4,
  }),
  dueAt: fc.option(number),
  referredBy: fc.option(id),
  refundId: fc.option(id),
});

test("what it reads is what avsc and the domain's checks make of the same bytes", () => {
  fc.assert(
    fc.property(order, (value) => {
      const body = bodyOf(ownSchema("orders"), value);
      const read = reader.read(body);
      if (read !== null) expect(read).toStrictEqual(generic(body));
    }),
    { numRuns: 2_000 },
  );
});

test("so it is of bytes that were changed, cut, put in or taken out", () => {
  const edit = fc.record({
    at: fc.nat(200),
    take: fc.constantFrom(0, 1, 1, 2, 40),
    put: fc.uint8Array({ maxLength: 9 }),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      let body = bodyOf(ownSchema("orders"), VALUES.orders);
      for (const { at, take, put } of edits) {
        const from = at % (body.length + 1);
        body = Buffer.concat([body.subarray(0, from), put, body.subarray(from + take)]);
      }
      const read = reader.read(body);
      if (read !== null) expect(read).toStrictEqual(generic(body));
    }),
    { numRuns: 3_000 },
  );
});

test.each([
  ["placed", {}],
  ["paid", { kind: "PAID" }],
  ["cancelled", { kind: "CANCELLED" }],
  ["without anything that may be missing", { currency: null, categories: [], dueAt: null, referredBy: null }],
])("it reads an order that is %s", (_what, changed) => {
  const body = bodyOf(ownSchema("orders"), { ...VALUES.orders, ...changed });
  expect(reader.read(body)).toStrictEqual(generic(body));
});

test.each([
  ["a text that is not ASCII", { orderId: "é" }],
  ["a refund", { kind: "REFUNDED", refundId: "r1" }],
  ["a negative number", { costMinor: -1 }],
  ["an instant before 1990", { occurredAt: 5 }],
])("it leaves %s to others", (_what, changed) => {
  expect(reader.read(bodyOf(ownSchema("orders"), { ...VALUES.orders, ...changed }))).toBeNull();
});
