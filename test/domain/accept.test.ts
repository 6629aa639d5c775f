import { describe, expect, test } from "vitest";
import { acceptEvent, GREATEST_ID_BYTES, isFactTopic } from "../../src/domain/accept.ts";
import type { FactTopic } from "../../src/domain/events.ts";

const AT = Date.UTC(2025, 0, 1);
const IDS = { eventId: "e1", customerId: "c1", occurredAt: AT };
const PLACED = { ...IDS, orderId: "o1", kind: "PLACED", amountMinor: 100 };
const INQUIRY = { ...IDS, inquiryId: "i1", kind: "QUOTE" };
const SURVEY = { ...IDS, surveyId: "s1", score: 5, scaleMin: 0 };
const RECORDED = { ...IDS, kind: "RECORDED", source: "crm", attributes: { model: "B2B" } };

function reasonOf(topic: FactTopic, raw: unknown): string {
  const decoded = acceptEvent(topic, raw);
  return decoded.kind === "event" ? "accepted" : decoded.reason;
}

describe("what is accepted (S2)", () => {
  test("absent fields take the defaults of S2", () => {
    expect(acceptEvent("orders", PLACED)).toMatchObject({
      event: {
        revision: 0,
        currency: null,
        costMinor: 0,
        units: 0,
        categories: [],
        dueAt: null,
        referredBy: null,
      },
    });
    expect(acceptEvent("inquiries", INQUIRY)).toMatchObject({
      event: { revision: 0, handlingCostMinor: 0, currency: null },
    });
    expect(acceptEvent("surveys", SURVEY)).toMatchObject({ event: { scaleMax: 10, revision: 0 } });
    expect(acceptEvent("customers", { ...IDS, kind: "RECORDED", source: "crm" })).toMatchObject({
      event: { attributes: {} },
    });
  });

  test("a null stands for an absent field (Avro), and removes an attribute", () => {
    expect(
      reasonOf("orders", { ...PLACED, revision: null, currency: null, categories: null, dueAt: null }),
    ).toBe("accepted");
    expect(acceptEvent("customers", { ...RECORDED, attributes: { model: null } })).toMatchObject({
      event: { attributes: { model: null } },
    });
  });

  test("instants are milliseconds or ISO 8601 with an offset", () => {
    expect(acceptEvent("orders", { ...PLACED, occurredAt: "2025-01-01T01:00:00+01:00" })).toMatchObject({
      event: { occurredAt: AT },
    });
    expect(reasonOf("orders", { ...PLACED, occurredAt: "2025-01-01T01:00:00" })).toBe("invalid_field");
  });

  test.each<[string, FactTopic, object]>([
    ["eventId", "orders", { ...PLACED, eventId: "" }],
    ["customerId", "surveys", { ...SURVEY, customerId: undefined }],
    ["orderId", "orders", { ...PLACED, orderId: 7 }],
    ["inquiryId", "inquiries", { ...INQUIRY, inquiryId: "" }],
    ["surveyId", "surveys", { ...SURVEY, surveyId: null }],
    ["refundId", "orders", { ...PLACED, kind: "REFUNDED" }],
    ["amountMinor", "orders", { ...PLACED, amountMinor: undefined }],
    ["amountMinor", "orders", { ...PLACED, amountMinor: -1 }],
    ["amountMinor", "orders", { ...PLACED, amountMinor: 1.5 }],
    ["amountMinor", "orders", { ...PLACED, kind: "REFUNDED", refundId: "r", amountMinor: -5 }],
    ["costMinor", "orders", { ...PLACED, costMinor: -1 }],
    ["revision", "orders", { ...PLACED, revision: -1 }],
    ["units", "orders", { ...PLACED, units: "3" }],
    ["currency", "orders", { ...PLACED, currency: "eur" }],
    ["categories", "orders", { ...PLACED, categories: ["tea", ""] }],
    ["categories", "orders", { ...PLACED, categories: "tea" }],
    ["dueAt", "orders", { ...PLACED, dueAt: "soon" }],
    ["referredBy", "orders", { ...PLACED, referredBy: "" }],
    ["kind", "orders", { ...PLACED, kind: "SHIPPED" }],
    ["kind", "inquiries", { ...INQUIRY, kind: "CHAT" }],
    ["handlingCostMinor", "inquiries", { ...INQUIRY, handlingCostMinor: -1 }],
    ["score", "surveys", { ...SURVEY, score: 8.5 }],
    ["score", "surveys", { ...SURVEY, score: "9" }],
    ["scaleMin", "surveys", { ...SURVEY, scaleMin: undefined }],
    ["kind", "customers", { ...RECORDED, kind: "MERGED" }],
    ["source", "customers", { ...RECORDED, source: undefined }],
    ["attributes.model", "customers", { ...RECORDED, attributes: { model: 7 } }],
    ["occurredAt", "orders", { ...PLACED, occurredAt: undefined }],
  ])("invalid_field names %s (S2.3)", (field, topic, raw) => {
    expect(acceptEvent(topic, raw)).toMatchObject({
      kind: "dead_letter",
      reason: "invalid_field",
      detail: expect.stringMatching(`^${field}:`) as string,
    });
  });

  test.each<[number, number, number, boolean]>([
    [0, 0, 10, true],
    [10, 0, 10, true],
    [1, 1, 10, true],
    [10, 1, 10, true],
    [0, 1, 10, false],
    [11, 0, 10, false],
    [-1, 0, 10, false],
    [5, 0, 5, false],
    [5, 2, 10, false],
  ])("a score of %i on the scale %i–%i: %s (S2.3 invalid_scale)", (score, scaleMin, scaleMax, isAccepted) => {
    expect(reasonOf("surveys", { ...SURVEY, score, scaleMin, scaleMax })).toBe(
      isAccepted ? "accepted" : "invalid_scale",
    );
  });

  test("time before 1990 is invalid, its first millisecond is not (S2.3 invalid_time)", () => {
    expect(reasonOf("orders", { ...PLACED, occurredAt: Date.UTC(1990, 0) })).toBe("accepted");
    expect(reasonOf("orders", { ...PLACED, occurredAt: Date.UTC(1990, 0) - 1 })).toBe("invalid_time");
  });

  test("units have a bound, so that their sums stay exact", () => {
    expect(reasonOf("orders", { ...PLACED, units: 1e12 })).toBe("accepted");
    expect(reasonOf("orders", { ...PLACED, units: 1e12 + 1 })).toBe("invalid_field");
  });

  test("ids have at most so many bytes, however many characters that is", () => {
    expect(reasonOf("orders", { ...PLACED, orderId: "x".repeat(GREATEST_ID_BYTES) })).toBe("accepted");
    for (const orderId of ["x".repeat(GREATEST_ID_BYTES + 1), "ü".repeat(GREATEST_ID_BYTES / 2 + 1)])
      expect(reasonOf("orders", { ...PLACED, orderId })).toBe("invalid_field");
    expect(reasonOf("orders", { ...PLACED, orderId: "ü".repeat(GREATEST_ID_BYTES / 2) })).toBe("accepted");
  });

  test("what is no object is refused, and only the topics of S2 are topics", () => {
    for (const raw of [null, 7, "order", [PLACED]]) expect(reasonOf("orders", raw)).toBe("invalid_field");
    expect(["orders", "inquiries", "surveys", "customers", "referrals"].every(isFactTopic)).toBe(true);
    expect(isFactTopic("segment-changes")).toBe(false);
  });
});

test("a referral's span beyond the calendar is refused: what is reckoned from it could not be written (S2.3)", () => {
  const referral = { customerId: "a", referredId: "b", orderId: "o", version: 1 };
  for (const span of [
    { at: 0, from: Number.MAX_SAFE_INTEGER, until: null },
    { at: -Number.MAX_SAFE_INTEGER, from: 0, until: null },
  ]) {
    expect(acceptEvent("referrals", { ...referral, spans: [span] })).toMatchObject({
      reason: "invalid_field",
    });
  }
});
