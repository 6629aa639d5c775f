import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OutputWriter } from "../../../src/adapters/avro/output-writer.ts";
import { ownType } from "../../../src/adapters/avro/schemas.ts";
import { CAUSE_KINDS, DEADLINES, ORIGINS } from "../../../src/domain/change.ts";
import { ATTENTIONS, AXES, STAGES, STATUSES, TAGS, VALUES } from "../../../src/domain/classification.ts";

const text = fc.string({ unit: "grapheme", maxLength: 60 });
/** avsc refuses longs at the very edge of what a double holds. */
const whole = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
const small = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const double = fc.double({ noNaN: true });
const orNull = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(of, { nil: null });
const reasonValue = fc.oneof(fc.constant(null), fc.boolean(), double, small, text);

const classification = fc.record({
  status: fc.constantFrom(...STATUSES),
  stage: fc.constantFrom(...STAGES),
  value: fc.constantFrom(...VALUES),
  attention: fc.constantFrom(...ATTENTIONS),
  tags: fc.subarray([...TAGS]),
});
const facts = fc.record({
  profile: text,
  occasionsEver: small,
  occasions365: small,
  occasions730: small,
  occasionsPriorYear: small,
  span365Ms: whole,
  firstOccasionAt: orNull(whole),
  lastOccasionAt: orNull(whole),
  revenueMinor: whole,
  costMinor: whole,
  profitMinor: whole,
  units: whole,
  categories: orNull(small),
  survey: orNull(small),
  promoterInWindow: fc.boolean(),
  dbtDays: double,
  overdue: fc.boolean(),
  referrals: small,
  interest: fc.boolean(),
  fit: double,
  canBuy: fc.boolean(),
  seasonal: fc.boolean(),
  lapseAt: orNull(whole),
  accountSince: orNull(whole),
});
const next = orNull(
  fc.record({ at: whole, becomes: classification, deadline: fc.constantFrom(...DEADLINES) }),
);
const policy = fc.record({ version: text, hash: text });
const change = fc.record({
  changeId: text,
  customerId: text,
  seq: whole,
  changed: fc.subarray([...AXES]),
  previous: orNull(classification),
  current: classification,
  effectiveAt: whole,
  decidedAt: whole,
  cause: fc.record({
    kind: fc.constantFrom(...CAUSE_KINDS),
    ref: fc.oneof(
      fc.constant(null),
      fc.constantFrom(...DEADLINES),
      fc.record({ topic: text, eventId: text }),
    ),
  }),
  reasons: fc.array(
    fc.record({
      axis: fc.constantFrom(...AXES),
      rule: text,
      observed: reasonValue,
      operator: fc.constantFrom("=", "≠", "<", "≤", ">", "≥", "in", "not in"),
      threshold: reasonValue,
    }),
    { maxLength: 12 },
  ),
  facts,
  next,
  policy,
  levers: orNull(text),
  origin: fc.constantFrom(...ORIGINS),
  supersedes: orNull(text),
});
const segment = fc.record({
  customerId: text,
  asOf: whole,
  classification,
  facts,
  next,
  seq: whole,
  policy,
});

/** What the generic writer makes of it, behind magic byte and schema id. */
function generic(topic: "segment-changes" | "customer-segments", id: number, value: unknown): string {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(id, 1);
  return Buffer.concat([prefix, ownType(topic).toBuffer(value)]).toString("hex");
}

describe("outputs are written as their schemas say (A6)", () => {
  const writer = new OutputWriter(7, 70_000);

  test("changes, byte for byte", () => {
    fc.assert(
      fc.property(change, (any) => {
        expect(writer.change(any as never).toString("hex")).toBe(generic("segment-changes", 7, any));
      }),
      { numRuns: 500 },
    );
  });

  test("what is no integer is refused, not written as another one", () => {
    const [any] = fc.sample(segment, 1);
    for (const seq of [1.5, NaN, Infinity, 2 ** 53]) {
      expect(() => writer.segment({ ...any, seq } as never)).toThrow(RangeError);
    }
  });

  test("segments, byte for byte", () => {
    fc.assert(
      fc.property(segment, (any) => {
        expect(writer.segment(any as never).toString("hex")).toBe(generic("customer-segments", 70_000, any));
      }),
      { numRuns: 500 },
    );
  });
});
