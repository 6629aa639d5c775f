import { describe, expect, test } from "vitest";
import { committedOf, receiptText, type CommittedOffset } from "../../../src/adapters/kafka/receipts.ts";
import { FACT_TOPICS } from "../../../src/domain/events.ts";
import type { Receipt } from "../../../src/pipeline/ports.ts";

const RECEIPT: Receipt = { seq: 7, clock: null, policy: "p", migrating: null, silentBelow: null };
const OFFSETS = { orders: 10, inquiries: 0, surveys: 5, customers: 0, referrals: 2 };

/** As a broker gives them back, with changes. */
function committed(change: Partial<Record<string, Partial<CommittedOffset>>> = {}): CommittedOffset[] {
  return FACT_TOPICS.map((topic) => ({
    topic,
    offset: OFFSETS[topic],
    metadata: topic === "orders" ? receiptText(RECEIPT, OFFSETS) : null,
    ...change[topic],
  }));
}

describe("committed offsets and their receipt (A4)", () => {
  test("come back as they were committed", () => {
    expect(committedOf(committed(), "shard 1")).toEqual({ offsets: OFFSETS, receipt: RECEIPT });
  });

  test("nothing was ever committed", () => {
    const none = committed().map(({ topic }) => ({ topic, offset: -1, metadata: null }));
    expect(committedOf(none, "shard 1")).toBeNull();
  });

  test("a receipt of before it named the offsets is accepted", () => {
    const old = committed({ orders: { metadata: JSON.stringify(RECEIPT) } });
    expect(committedOf(old, "shard 1")).toEqual({ offsets: OFFSETS, receipt: RECEIPT });
  });

  test.each([[null], [""], ["{"], ["consumer-1"], ["{}"], ["null"]])(
    "metadata %j is no receipt: refused, not a crash",
    (metadata) => {
      expect(() => committedOf(committed({ orders: { metadata } }), "shard 1 in group g")).toThrow(
        expect.objectContaining({
          code: "RECEIPT_MISSING",
          message: expect.stringMatching(/^shard 1 in group g has offsets without a receipt/) as string,
        }),
      );
    },
  );

  test("an offset of another topic that a tool has set is named, with what it was", () => {
    expect(() => committedOf(committed({ surveys: { offset: 9 } }), "shard 1")).toThrow(
      expect.objectContaining({
        code: "OFFSETS_CHANGED",
        message: expect.stringContaining("(surveys stands at 9, the receipt says 5)") as string,
      }),
    );
  });
});
