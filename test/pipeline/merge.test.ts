import { describe, expect, test } from "vitest";
import type { Decoded } from "../../src/domain/accept.ts";
import { FACT_TOPICS, type FactTopic } from "../../src/domain/events.ts";
import { Merge } from "../../src/pipeline/merge.ts";
import type { Decoder, Offsets, ShardLog, SourceRecord } from "../../src/pipeline/ports.ts";
import { instant } from "../../src/shared/instant.ts";
import { day, order, recorded, survey } from "./facts.ts";

const SINCE = instant(0);
const UNDECODABLE: Decoded = { kind: "dead_letter", reason: "undecodable", detail: "no schema id" };

/** What a merge asks of a log: buffers, positions, and which topics are known to have no more. */
class Buffers {
  readonly #records = new Map<FactTopic, SourceRecord[]>(FACT_TOPICS.map((topic) => [topic, []]));
  readonly #ends = new Map<FactTopic, number>();
  readonly caughtUp = new Set<FactTopic>(FACT_TOPICS);

  put(topic: FactTopic, ...decoded: readonly Decoded[]): void {
    for (const each of decoded) this.putAt(topic, this.position(topic), each);
  }

  /** Without `decoded`: a record that a decoder must read. */
  putAt(topic: FactTopic, offset: number, decoded?: Decoded): void {
    const record = {
      topic,
      partition: 0,
      offset,
      arrivedAt: null,
      key: null,
      value: null,
      headers: [],
      ...(decoded === undefined ? {} : { decoded }),
    };
    this.buffered(topic).push(record);
    this.#ends.set(topic, offset + 1);
  }

  buffered(topic: FactTopic): SourceRecord[] {
    return this.#records.get(topic)!;
  }

  position(topic: FactTopic): number {
    return this.#ends.get(topic) ?? 0;
  }

  get log(): ShardLog {
    const asked: Pick<ShardLog, "buffered" | "take" | "position" | "caughtUp"> = {
      buffered: (topic) => this.buffered(topic),
      take: (topic, count) => void this.buffered(topic).splice(0, count),
      position: (topic) => this.position(topic),
      caughtUp: (topic) => this.caughtUp.has(topic) && this.buffered(topic).length === 0,
    };
    return asked as ShardLog;
  }
}

const NEVER_ASKED: Decoder = {
  decode() {
    throw new Error("these records are decoded already");
  },
};

function events(...all: readonly Extract<Decoded, { kind: "event" }>["event"][]): Decoded[] {
  return all.map((event) => ({ kind: "event", event }));
}

async function taken(buffers: Buffers, limits: Offsets | null = null, max = 100): Promise<string[]> {
  const merge = new Merge(buffers.log, NEVER_ASKED, limits);
  return (await merge.take(max, SINCE)).map(({ record }) => `${record.topic} ${record.offset}`);
}

describe("records are taken by the time of their events (A3)", () => {
  test("lowest head first, each topic in its own order", async () => {
    const buffers = new Buffers();
    buffers.put("orders", ...events(order("a", 1), order("a", 5), order("a", 3)));
    buffers.put("surveys", ...events(survey("a", 2, 9), survey("a", 4, 9)));
    buffers.caughtUp.delete("orders");
    buffers.caughtUp.delete("surveys");
    // After day 4 of the surveys nobody knows whether a lower one follows.
    expect(await taken(buffers)).toEqual(["orders 0", "surveys 0", "surveys 1"]);
    buffers.put("surveys", ...events(survey("a", 9, 9)));
    expect(await taken(buffers)).toEqual(["orders 1", "orders 2"]);
  });

  test("an empty topic that lags is waited for, one without lag is not", async () => {
    const buffers = new Buffers();
    buffers.put("orders", ...events(order("a", 1)));
    buffers.caughtUp.delete("surveys");
    expect(await taken(buffers)).toEqual([]);
    buffers.put("surveys", ...events(survey("a", 0, 9)));
    expect(await taken(buffers)).toEqual(["surveys 0"]);
    buffers.caughtUp.add("surveys");
    expect(await taken(buffers)).toEqual(["orders 0"]);
  });

  test("what comes while others are decoded is waited for: a log takes what it has delivered for caught up", async () => {
    const buffers = new Buffers();
    buffers.putAt("surveys", 0);
    const log: ShardLog = {
      ...buffers.log,
      buffered: (topic) => [...buffers.buffered(topic)],
      caughtUp: () => true,
    };
    const decoder: Decoder = {
      async decode() {
        await Promise.resolve();
        buffers.put("orders", ...events(order("a", 1)));
        return { kind: "event", event: survey("a", 2, 9) };
      },
    };
    const merge = new Merge(log, decoder, null);
    expect(await merge.take(100, SINCE)).toEqual([]);
    const then = await merge.take(100, SINCE);
    expect(then.map(({ record }) => record.topic)).toEqual(["orders"]);
  });

  test("a head that can't be read goes first, out of the way", async () => {
    const buffers = new Buffers();
    buffers.put("orders", ...events(order("a", 1)));
    buffers.put("surveys", ...events(survey("a", 2, 9)), UNDECODABLE, ...events(survey("a", 3, 9)));
    buffers.put("customers", UNDECODABLE, ...events(recorded("a", 4, { model: "B2C" })));
    expect((await taken(buffers, null, 4)).slice(0, 4)).toEqual([
      "customers 0",
      "orders 0",
      // All that was buffered of the orders is taken: the next call asks whether more has come.
    ]);
    expect(await taken(buffers)).toEqual(["surveys 0", "surveys 1", "surveys 2"]);
    expect(await taken(buffers)).toEqual(["customers 1"]);
  });

  test("never more than asked for", async () => {
    const buffers = new Buffers();
    buffers.put("orders", ...events(order("a", 1), order("a", 2), order("a", 3)));
    expect(await taken(buffers, null, 2)).toEqual(["orders 0", "orders 1"]);
    expect(buffers.buffered("orders")).toHaveLength(1);
  });

  test("what can't be decoded for the time being leaves everything where it is", async () => {
    const buffers = new Buffers();
    buffers.put("orders", ...events(order("a", 1)));
    const { decoded: _decoded, ...raw } = buffers.buffered("orders")[0]!;
    buffers.buffered("orders")[0] = raw;
    const merge = new Merge(buffers.log, { decode: () => Promise.reject(new Error("registry away")) }, null);
    await expect(merge.take(10, SINCE)).rejects.toThrow("registry away");
    expect(buffers.buffered("orders")).toHaveLength(1);
  });
});

describe("the limits of a silent re-fold (A4)", () => {
  test("only records below them are taken; a topic without a limit has none", async () => {
    const buffers = new Buffers();
    buffers.put("orders", ...events(order("a", 1), order("a", 2)));
    buffers.put("surveys", ...events(survey("a", 0, 9)));
    expect(await taken(buffers, { orders: 1 })).toEqual(["orders 0"]);
    expect(new Merge(buffers.log, NEVER_ASKED, { orders: 1 }).isDrained(SINCE)).toBe(true);
  });

  test("a topic that has not come to its limit is waited for", async () => {
    const buffers = new Buffers();
    buffers.put("orders", ...events(order("a", 1)));
    buffers.caughtUp.clear();
    const limits = { orders: 1, surveys: 1 };
    expect(await taken(buffers, limits)).toEqual([]);
    expect(new Merge(buffers.log, NEVER_ASKED, limits).isDrained(SINCE)).toBe(false);
    buffers.put("surveys", ...events(survey("a", 3, 9)));
    expect(await taken(buffers, limits)).toEqual(["orders 0"]);
    expect(await taken(buffers, limits)).toEqual(["surveys 0"]);
    expect(new Merge(buffers.log, NEVER_ASKED, limits).isDrained(SINCE)).toBe(true);
  });

  test("a limit behind the last record, where only control records are, is reached when the topic is caught up", () => {
    const buffers = new Buffers();
    const merge = new Merge(buffers.log, NEVER_ASKED, { referrals: 7 });
    buffers.caughtUp.delete("referrals");
    expect(merge.isDrained(SINCE)).toBe(false);
    buffers.caughtUp.add("referrals");
    expect(merge.isDrained(SINCE)).toBe(true);
  });
});

test("a referral counts as its last boundary: when the order's shard learnt of it (S3.8)", async () => {
  const buffers = new Buffers();
  const spans = [{ at: day(1), from: day(1), until: day(5) }];
  const referral = {
    topic: "referrals",
    customerId: "a",
    referredId: "b",
    orderId: "o",
    version: 1,
    spans,
  } as const;
  buffers.put("referrals", ...events(referral));
  buffers.put("orders", ...events(order("a", 4), order("a", 6)));
  expect(await taken(buffers)).toEqual(["orders 0", "referrals 0"]);
});
