import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createStateCodec } from "../../../src/adapters/avro/state-codec.ts";
import type { StoredCustomer } from "../../../src/pipeline/ports.ts";
import { newCustomer, ORDERS_PER_PAGE, type Customer } from "../../../src/domain/customer.ts";
import type { CustomerEvent } from "../../../src/domain/events.ts";
import { foldEvent } from "../../../src/domain/fold.ts";
import { instant } from "../../../src/shared/instant.ts";
import { CUSTOMER, erasableHistory, POLICY } from "../../laws/histories.ts";

const codec = createStateCodec();
const OPTIONS = { policy: POLICY, quiet: false, forget: true };

function store(customer: Customer, kept = new Map<number, Uint8Array>()): StoredCustomer {
  const { head, chunks } = codec.encode(customer);
  for (const [page, bytes] of chunks) {
    if (bytes === null) kept.delete(page);
    else kept.set(page, bytes);
  }
  return { head: head!, chunks: kept };
}

function placed(i: number, fields: object = {}): CustomerEvent {
  return {
    topic: "orders",
    kind: "PLACED",
    eventId: `e${100_000 + i}`,
    customerId: CUSTOMER,
    occurredAt: instant(Date.UTC(2024, 0, 1) + i * 31 * 86_400_000 + i * 3_723_456),
    orderId: `o${100_000 + i}`,
    revision: 0,
    amountMinor: 4990 + i,
    currency: null,
    costMinor: 2990,
    units: 2,
    categories: [],
    dueAt: null,
    referredBy: null,
    ...fields,
  };
}

describe("the state codec (A7)", () => {
  test("any state comes back as it was", () => {
    fc.assert(
      fc.property(erasableHistory(900, 20), (events) => {
        const customer = newCustomer(CUSTOMER);
        for (const event of events) foldEvent(customer, event, null, OPTIONS);
        fc.pre(!customer.isEmpty);
        expect(codec.decode(CUSTOMER, store(customer))).toEqual(customer.state);
      }),
      { numRuns: 300 },
    );
  });

  test("written after each event or once at the end, a state is the same bytes", () => {
    fc.assert(
      fc.property(erasableHistory(900, 40), (events) => {
        const often = newCustomer(CUSTOMER);
        const once = newCustomer(CUSTOMER);
        let last: StoredCustomer | null = null;
        const kept = new Map<number, Uint8Array>();
        for (const event of events) {
          foldEvent(often, event, null, OPTIONS);
          foldEvent(once, event, null, OPTIONS);
          if (!often.isEmpty) last = store(often, kept);
        }
        fc.pre(!once.isEmpty && last !== null);
        expect(last).toEqual(store(once));
      }),
      { numRuns: 300 },
    );
  });

  test("what changes no classification is written all the same: a second referral, survey, inquiry, record", () => {
    const base = { customerId: CUSTOMER, revision: 0 };
    const at = (day: number) => instant(Date.UTC(2024, 5, day));
    const twice: ((i: number) => CustomerEvent)[] = [
      (i) => ({
        topic: "referrals",
        customerId: CUSTOMER,
        referredId: `r${i}`,
        orderId: `o${i}`,
        version: i,
        spans: [{ at: at(i), from: at(i), until: null }],
      }),
      (i) => ({
        ...base,
        topic: "surveys",
        eventId: `s${i}`,
        occurredAt: at(i),
        surveyId: `s${i}`,
        score: 9,
        scaleMin: 0,
        scaleMax: 10,
      }),
      (i) => ({
        ...base,
        topic: "inquiries",
        eventId: `i${i}`,
        occurredAt: at(i),
        inquiryId: `i${i}`,
        kind: "QUOTE",
        handlingCostMinor: 0,
        currency: null,
      }),
      (i) => ({
        topic: "customers",
        customerId: CUSTOMER,
        kind: "RECORDED",
        eventId: `r${i}`,
        occurredAt: at(i),
        source: "crm",
        attributes: { note: `${i}` },
      }),
    ];
    for (const event of twice) {
      const customer = newCustomer(CUSTOMER);
      for (const i of [1, 2]) {
        foldEvent(customer, event(i), null, OPTIONS);
        expect(codec.decode(CUSTOMER, store(customer))).toEqual(customer.state);
      }
    }
  });

  test("ids of any letters come back, those that share half a surrogate pair too", () => {
    const customer = newCustomer(CUSTOMER);
    foldEvent(customer, placed(1, { orderId: "ä\u{1F600}", eventId: "\u{1F200}" }), null, OPTIONS);
    foldEvent(
      customer,
      placed(2, { orderId: "same", eventId: "same", currency: null, referredBy: "日本" }),
      null,
      OPTIONS,
    );
    expect(codec.decode(CUSTOMER, store(customer))).toEqual(customer.state);
  });

  test("six ordinary orders take at most 216 bytes", () => {
    const customer = newCustomer(CUSTOMER);
    for (let i = 0; i < 6; i++) foldEvent(customer, placed(i), null, OPTIONS);
    expect(store(customer).head.length).toBeLessThanOrEqual(216);
  });

  test("a heavy customer is written by pages: an order changes the head, an amendment its page", () => {
    const customer = newCustomer(CUSTOMER);
    const kept = new Map<number, Uint8Array>();
    for (let i = 0; i < 200; i++) {
      foldEvent(
        customer,
        placed(0, {
          orderId: `o${i}`,
          eventId: `e${i}`,
          occurredAt: instant(Date.UTC(2024, 0, 1) + i * 3_600_000),
        }),
        null,
        OPTIONS,
      );
    }
    const stored = store(customer, kept);
    const fullPages = Math.floor(200 / ORDERS_PER_PAGE);
    expect([...stored.chunks.keys()]).toEqual(Array.from({ length: fullPages }, (_, page) => page));
    expect(codec.pages(stored.head)).toEqual([0, fullPages]);
    foldEvent(
      customer,
      placed(0, { orderId: "new", eventId: "new", occurredAt: instant(Date.UTC(2024, 2, 1)) }),
      null,
      OPTIONS,
    );
    expect(codec.encode(customer).chunks).toEqual([]);
    foldEvent(
      customer,
      placed(0, { orderId: "o70", eventId: "x", revision: 1, occurredAt: instant(Date.UTC(2024, 2, 2)) }),
      null,
      OPTIONS,
    );
    expect([...codec.encode(customer).chunks].map(([page]) => page)).toEqual([
      Math.floor(70 / ORDERS_PER_PAGE),
    ]);
    expect(codec.decode(CUSTOMER, { head: stored.head, chunks: kept }).orders).toHaveLength(200);
  });

  test("damage is said, not guessed at", () => {
    const customer = newCustomer(CUSTOMER);
    foldEvent(customer, placed(1), null, OPTIONS);
    const { head } = store(customer);
    expect(() =>
      codec.decode(CUSTOMER, { head: head.subarray(0, head.length - 3), chunks: new Map() }),
    ).toThrow();
    expect(() => codec.decode(CUSTOMER, { head: Buffer.from([9, 1, 2]), chunks: new Map() })).toThrow(
      /version 9/,
    );
  });
});
