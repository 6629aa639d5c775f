import fc from "fast-check";
import { hash } from "node:crypto";
import type { CustomerEvent, InquiryKind, Referral } from "../../src/domain/events.ts";
import { INQUIRY_KINDS } from "../../src/domain/events.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { resolvePolicy } from "../../src/domain/resolve-policy.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";

export const DAY = 86_400_000;
export const START = Date.UTC(2024, 0, 1, 12);
export const CUSTOMER = "c1";

/** Thresholds low enough that short random histories reach every rung. */
export const POLICY: Policy = (() => {
  const profile = {
    fitThreshold: 0.5,
    idealCustomer: [{ attribute: "channel", anyOf: ["DRUG"], weight: 1 }],
    lapse: { minDays: 20 },
    account: {
      occasions: { enter: 3, hold: 2 },
      spanDays: { enter: 60, hold: 30 },
      categories: { enter: 2, hold: 1 },
    },
    patron: { revenueMinor: { enter: 20_000, hold: 15_000 }, tenureDays: 60 },
    value: { aMinor: 30_000, bMinor: 10_000 },
  };
  const resolved = resolvePolicy(
    {
      version: "laws",
      // A marker that had gone would let late facts of an erased customer in: that is meant (S2.5), and tested elsewhere.
      erasureMarkerDays: 36_500,
      profiles: [
        { name: "B2B", ...profile },
        { name: "B2C", ...profile },
      ],
    },
    (text) => hash("sha256", text),
  );
  if ("problems" in resolved) throw new Error(JSON.stringify(resolved.problems));
  return resolved.policy;
})();

/** Days that make windows, terms and tenures meet: multiples of the policy's durations, and a millisecond beside them. */
function at(days: number): fc.Arbitrary<Instant> {
  const round = fc.integer({ min: 0, max: Math.floor(days / 30) }).map((n) => n * 30);
  const windows = fc.constantFrom(0, 60, 90, 120, 180, 365, 366, 425, 545, 730).filter((n) => n <= days);
  const day = fc.oneof(round, windows, fc.integer({ min: 0, max: days }));
  const shift = fc.constantFrom(0, 0, 0, 1, -1, 3_600_000);
  return fc.tuple(day, shift).map(([n, ms]) => instant(START + n * DAY + ms));
}

/** One event; `days`: how long the history is. Few identities, so that they collide. */
function anyEvent(days: number): fc.Arbitrary<(eventId: string) => CustomerEvent> {
  const orderId = fc.constantFrom("o1", "o2", "o3", "o4", "o5", "o6");
  const revision = fc.constantFrom(0, 0, 0, 1, 2);
  const placed = fc
    .record({
      orderId,
      revision,
      occurredAt: at(days),
      amountMinor: fc.constantFrom(0, 100, 5000, 9000, 20_000),
      costMinor: fc.constantFrom(0, 0, 2000, 12_000),
      categories: fc.constantFrom<readonly string[]>([], [], ["tea"], ["tea", "cups"]),
      due: fc.constantFrom(null, null, 14, 30),
      referredBy: fc.constantFrom(null, null, "c2", "c3", CUSTOMER),
    })
    .map(({ due, ...rest }) => (eventId: string): CustomerEvent => ({
      topic: "orders",
      kind: "PLACED",
      eventId,
      customerId: CUSTOMER,
      currency: null,
      units: 1,
      dueAt: due === null ? null : instant(rest.occurredAt + due * DAY),
      ...rest,
    }));
  const closed = fc
    .record({
      orderId,
      occurredAt: at(days),
      kind: fc.constantFrom("PAID" as const, "PAID" as const, "CANCELLED" as const),
    })
    .map((rest) => (eventId: string): CustomerEvent => ({
      topic: "orders",
      eventId,
      customerId: CUSTOMER,
      revision: 0,
      ...rest,
    }));
  const refunded = fc
    .record({
      orderId,
      revision,
      occurredAt: at(days),
      refundId: fc.constantFrom("r1", "r2"),
      amountMinor: fc.constantFrom(50, 100, 5000, 20_000),
    })
    .map((rest) => (eventId: string): CustomerEvent => ({
      topic: "orders",
      kind: "REFUNDED",
      eventId,
      customerId: CUSTOMER,
      ...rest,
    }));
  const inquiry = fc
    .record({
      inquiryId: fc.constantFrom("i1", "i2"),
      revision,
      occurredAt: at(days),
      kind: fc.constantFrom<InquiryKind>(...INQUIRY_KINDS),
      handlingCostMinor: fc.constantFrom(0, 3000),
    })
    .map((rest) => (eventId: string): CustomerEvent => ({
      topic: "inquiries",
      eventId,
      customerId: CUSTOMER,
      currency: null,
      ...rest,
    }));
  const survey = fc
    .record({
      surveyId: fc.constantFrom("s1", "s2", "s3"),
      revision,
      occurredAt: at(days),
      score: fc.constantFrom(3, 7, 8, 9, 10),
    })
    .map((rest) => (eventId: string): CustomerEvent => ({
      topic: "surveys",
      eventId,
      customerId: CUSTOMER,
      scaleMin: 0,
      scaleMax: 10,
      ...rest,
    }));
  const attribute = fc.constantFrom<Record<string, string | null>>(
    { model: "B2B" },
    { model: "B2C" },
    { model: null },
    { canBuy: "false" },
    { canBuy: "true", channel: "DRUG" },
    {},
  );
  const recorded = fc
    .record({ occurredAt: at(days), attributes: attribute })
    .map((rest) => (eventId: string): CustomerEvent => ({
      topic: "customers",
      kind: "RECORDED",
      eventId,
      customerId: CUSTOMER,
      source: "crm",
      ...rest,
    }));
  const referral = fc
    .record({
      referredId: fc.constantFrom("c7", "c8"),
      orderId: fc.constantFrom("x1", "x2"),
      from: at(days),
      lasts: fc.constantFrom(null, 1, 40, 400),
    })
    .map(({ from, lasts, ...rest }) => (eventId: string): CustomerEvent => {
      const until = lasts === null ? null : instant(from + lasts * DAY);
      const version = Number(eventId.slice(1));
      const spans: Referral["spans"] = [{ at: from, from, until }];
      return { topic: "referrals", customerId: CUSTOMER, version, spans, ...rest };
    });
  return fc.oneof(
    { weight: 8, arbitrary: placed },
    { weight: 2, arbitrary: closed },
    { weight: 2, arbitrary: refunded },
    { weight: 2, arbitrary: inquiry },
    { weight: 2, arbitrary: survey },
    { weight: 2, arbitrary: recorded },
    { weight: 1, arbitrary: referral },
  );
}

/** A customer's events in no order, without erasures; ids are distinct. */
export function history(days: number, most: number): fc.Arbitrary<CustomerEvent[]> {
  return fc
    .array(anyEvent(days), { minLength: 1, maxLength: most })
    .map((makers) => makers.map((make, i) => make(`e${String(i).padStart(3, "0")}`)));
}

/** As `history`, now and then with the customer erased in the middle. */
export function erasableHistory(days: number, most: number): fc.Arbitrary<CustomerEvent[]> {
  const erased = fc.option(at(days), { freq: 5 }).map((occurredAt): CustomerEvent[] =>
    occurredAt === null
      ? []
      : [
          {
            topic: "customers",
            kind: "ERASED",
            eventId: "erased",
            customerId: CUSTOMER,
            source: "crm",
            occurredAt,
          },
        ],
  );
  return fc.tuple(history(days, most), erased).map(([events, erasures]) => [...events, ...erasures]);
}

/** When an event is known to happen, for those who sort by it. */
export function timeOf(event: CustomerEvent): number {
  return event.topic === "referrals"
    ? Math.max(...event.spans.map(({ from, until }) => until ?? from))
    : event.occurredAt;
}
