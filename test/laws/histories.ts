import fc from "fast-check";
import type { CustomerEvent, InquiryKind, Referral } from "../../src/domain/events.ts";
import { INQUIRY_KINDS } from "../../src/domain/events.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";

export const DAY = 86_400_000;
const HOUR = 3_600_000;
export const START = Date.UTC(2024, 0, 1, 12);
export const CUSTOMER = "c1";

export { POLICY, SHORT_MEMORY, WORLDS } from "./worlds.ts";

/**
 * Days that make windows, terms and tenures meet: multiples of the policies' durations, a millisecond beside them, and the hours
 * around midnight in the zones of the worlds.
 */
function at(days: number): fc.Arbitrary<Instant> {
  const round = fc.integer({ min: 0, max: Math.floor(days / 30) }).map((n) => n * 30);
  const windows = fc.constantFrom(0, 60, 90, 120, 180, 365, 366, 425, 545, 730).filter((n) => n <= days);
  const day = fc.oneof(round, windows, fc.integer({ min: 0, max: days }));
  const shift = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(0, 0, 0, 1, -1, HOUR) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom(-8, -7, -1, 10, 11, 12), fc.constantFrom(0, -1, 1))
        .map(([hours, ms]) => hours * HOUR + ms),
    },
  );
  return fc.tuple(day, shift).map(([n, ms]) => instant(START + n * DAY + ms));
}

/** One event; `days`: how long the history is. Few identities, so that they collide. */
function anyEvent(days: number): fc.Arbitrary<(eventId: string) => CustomerEvent> {
  const currency = fc.constantFrom(null, null, null, "EUR", "USD", "JPY", "KWD");
  const orderId = fc.constantFrom("o1", "o2", "o3", "o4", "o5", "o6");
  const amended = fc.constantFrom("o1", "o2", "o3", "h0", "h2", "h5");
  const revision = fc.constantFrom(0, 0, 0, 1, 2);
  const placed = fc
    .record({
      orderId,
      revision,
      occurredAt: at(days),
      amountMinor: fc.constantFrom(0, 100, 5000, 5001, 9000, 20_000),
      currency,
      costMinor: fc.constantFrom(0, 0, 2000, 2001, 12_000),
      units: fc.constantFrom(0, 1, 3),
      categories: fc.constantFrom<readonly string[]>([], [], ["tea"], ["tea", "cups"], ["tea", "tea"]),
      due: fc.constantFrom(null, null, null, 14, 30),
      referredBy: fc.constantFrom(null, null, "c2", "c3", CUSTOMER),
    })
    .map(({ due, ...rest }) => (eventId: string): CustomerEvent => ({
      topic: "orders",
      kind: "PLACED",
      eventId,
      customerId: CUSTOMER,
      dueAt: due === null ? null : instant(rest.occurredAt + due * DAY),
      ...rest,
    }));
  const closed = fc
    .record({
      orderId: amended,
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
      orderId: amended,
      revision,
      occurredAt: at(days),
      refundId: fc.constantFrom("r1", "r2"),
      amountMinor: fc.constantFrom(50, 99, 100, 4999, 5000, 8999, 19_999, 20_000),
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
      handlingCostMinor: fc.constantFrom(0, 3000, 3001),
      currency,
    })
    .map((rest) => (eventId: string): CustomerEvent => ({
      topic: "inquiries",
      eventId,
      customerId: CUSTOMER,
      ...rest,
    }));
  const survey = fc
    .record({
      surveyId: fc.constantFrom("s1", "s2", "s3"),
      revision,
      occurredAt: at(days),
      score: fc.constantFrom(1, 6, 7, 8, 9, 10),
      scaleMin: fc.constantFrom(0 as const, 1 as const),
    })
    .map((rest) => (eventId: string): CustomerEvent => ({
      topic: "surveys",
      eventId,
      customerId: CUSTOMER,
      scaleMax: 10,
      ...rest,
    }));
  const attribute = fc.constantFrom<Record<string, string | null>>(
    { model: "B2B" },
    { model: "B2C" },
    { model: null },
    { canBuy: "false" },
    { model: "B2B", channel: "DRUG" },
    { canBuy: "true", channel: "DRUG" },
    { channel: "MASS", customerType: "WHOLESALE" },
    { customerType: null, channel: null },
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
      placedAt: at(days),
      // Days after the order at which it came to stand, and no longer did.
      turns: fc.constantFrom<readonly number[]>(
        [],
        [0],
        [0],
        [0, 1],
        [0, 40],
        [0, 400],
        [5],
        [0, 10, 20],
        [0, 365],
      ),
    })
    .map(({ placedAt, turns, ...rest }) => (eventId: string): CustomerEvent => {
      const version = Number(eventId.slice(1));
      const turnAt = (i: number): Instant | null => {
        const turn = turns[i];
        return turn === undefined ? null : instant(placedAt + turn * DAY);
      };
      const spans: Referral["spans"] = turns.flatMap((_turn, i) =>
        i % 2 === 0 ? [{ at: placedAt, from: turnAt(i)!, until: turnAt(i + 1) }] : [],
      );
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

/** What gives a history its direction; chance alone rarely buys every month, pays every invoice, or buys every December. */
interface Habit {
  readonly first: Instant;
  readonly gapsDays: readonly number[];
  readonly amountMinor: number;
  readonly costMinor: number;
  /** Terms, and how long after them each invoice is paid; null: cash, never paid. */
  readonly dueDays: number | null;
  readonly lagDays: number | null;
  readonly opinions: readonly { readonly day: number; readonly score: number }[];
}

function habit(days: number): fc.Arbitrary<Habit> {
  const regular = fc
    .tuple(fc.integer({ min: 3, max: 9 }), fc.constantFrom(14, 30, 45, 61, 90))
    .map(([count, gap]) => new Array<number>(count).fill(gap));
  const yearly = fc
    .array(fc.constantFrom(0, 20, 31, 365, 350, 380, 300), { minLength: 2, maxLength: 6 })
    .filter((gaps) => gaps.some((gap) => gap >= 300));
  const opinion = fc.record({
    day: fc.constantFrom(30, 90, 120, 200, 300, 365),
    score: fc.constantFrom(5, 8, 8, 9, 9, 10),
  });
  return fc.record({
    first: at(Math.min(days, 400)),
    gapsDays: fc.oneof({ weight: 3, arbitrary: regular }, { weight: 1, arbitrary: yearly }),
    amountMinor: fc.constantFrom(5000, 9000, 20_000),
    costMinor: fc.constantFrom(0, 0, 0, 0, 2000, 5000, 12_000, 25_000),
    dueDays: fc.constantFrom(null, null, 14, 30, 200),
    lagDays: fc.constantFrom(null, -5, 0, 15, 16, 31, 60),
    opinions: fc.array(opinion, { maxLength: 3 }),
  });
}

function eventsOf({
  first,
  gapsDays,
  amountMinor,
  costMinor,
  dueDays,
  lagDays,
  opinions,
}: Habit): CustomerEvent[] {
  const base = (eventId: string, occurredAt: number) => ({
    eventId,
    customerId: CUSTOMER,
    occurredAt: instant(occurredAt),
    revision: 0,
  });
  const events: CustomerEvent[] = [];
  let placedAt: number = first;
  for (const [i, gap] of [0, ...gapsDays].entries()) {
    placedAt += gap * DAY;
    const orderId = `h${i}`;
    const dueAt = dueDays === null ? null : instant(placedAt + dueDays * DAY);
    events.push({
      ...base(`h${i} placed`, placedAt),
      topic: "orders",
      kind: "PLACED",
      orderId,
      amountMinor,
      currency: null,
      costMinor,
      units: 1,
      categories: i % 2 === 0 ? ["tea"] : ["cups"],
      dueAt,
      referredBy: null,
    });
    // The odd millisecond is where "more than 15 days" begins (S3.7).
    if (dueAt !== null && lagDays !== null)
      events.push({
        ...base(`h${i} paid`, dueAt + lagDays * DAY + (i % 2)),
        topic: "orders",
        kind: "PAID",
        orderId,
      });
  }
  for (const [i, { day, score }] of opinions.entries()) {
    events.push({
      ...base(`h${i} said`, first + day * DAY),
      topic: "surveys",
      surveyId: `h${i}`,
      score,
      scaleMin: 1,
      scaleMax: 10,
    });
  }
  return events;
}

/** A customer's events in no order, without erasures; ids are distinct. Two customers of three have a habit. */
export function history(days: number, most: number): fc.Arbitrary<CustomerEvent[]> {
  return fc
    .tuple(
      fc.option(habit(days), { freq: 2 }),
      fc.array(anyEvent(days), { minLength: 1, maxLength: most, size: "max" }),
    )
    .map(([regular, makers]) => [
      ...(regular === null ? [] : eventsOf(regular)).filter((event) => timeOf(event) <= START + days * DAY),
      ...makers.map((make, i) => make(`e${String(i).padStart(3, "0")}`)),
    ]);
}

/** As `history`, one in five with the customer erased in the middle. */
export function erasableHistory(days: number, most: number): fc.Arbitrary<CustomerEvent[]> {
  const erased = fc.tuple(fc.nat(4), at(days)).map(([chance, occurredAt]): CustomerEvent[] =>
    chance > 0
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
