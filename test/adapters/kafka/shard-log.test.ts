import type { KafkaMessage } from "kafkajs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CommitStrategy } from "../../../src/adapters/kafka/commit-strategy.ts";
import type { Ends, LogEnds } from "../../../src/adapters/kafka/log-ends.ts";
import { KafkaShardLog, type Fetched, type OutputEncoder } from "../../../src/adapters/kafka/shard-log.ts";
import { instant } from "../../../src/shared/instant.ts";

const SINCE = instant(1);
const LIMIT = 4;

/** A shard's log over a consumer and a broker that only do what the test does. */
class Scene {
  /** What the consumer was told of orders, in order. */
  readonly told: string[] = [];
  ends: Ends = { askedAt: 2, low: 0, high: 0 };
  readonly log: KafkaShardLog;

  constructor() {
    const tell = (what: string, topic: string): void => {
      if (topic === "orders") this.told.push(what);
    };
    const consumer = {
      pause: (topic: string) => tell("pause", topic),
      resume: (topic: string) => tell("resume", topic),
      seek: (topic: string, _shard: number, offset: number) => tell(`seek ${offset}`, topic),
    };
    const nothing: Ends = { askedAt: 2, low: 0, high: 0 };
    const ends = {
      refresh: () => Promise.resolve(),
      of: (topic: string) => (topic === "orders" ? this.ends : nothing),
    };
    this.log = new KafkaShardLog(
      3,
      consumer,
      { close: () => Promise.resolve() } as CommitStrategy,
      ends as unknown as LogEnds,
      {} as OutputEncoder,
      { identity: { cluster: "", prefix: "p.", shards: 4, topics: {} }, maxBufferedRecords: LIMIT },
    );
  }

  get isCaughtUp(): boolean {
    return this.log.caughtUp("orders", SINCE);
  }

  get buffered(): number[] {
    return this.log.buffered("orders").map(({ offset }) => offset);
  }
}

/** A fetch from `from` on that brought these offsets, and passed what lies between them and `next`. */
function fetched(from: number, offsets: readonly number[], next: number): Fetched {
  const messages = offsets.map((offset) => ({ offset: String(offset) }) as KafkaMessage);
  return { from, next, messages, isAppendTime: true };
}

let scene: Scene;
beforeEach(() => {
  vi.useFakeTimers({ now: 100_000 });
  scene = new Scene();
});
afterEach(() => void vi.useRealTimers());

describe("caught up (A10): as far as the log itself has come, and by nothing else", () => {
  test("not while there is more, whatever time passes: a fetch that brought nothing may have had no room for it", async () => {
    scene.ends = { askedAt: 2, low: 0, high: 3 };
    await scene.log.seek({ orders: 1 });
    expect(scene.isCaughtUp).toBe(false);
    vi.advanceTimersByTime(600_000);
    expect(scene.isCaughtUp).toBe(false);
    scene.log.deliver("orders", fetched(1, [1, 2], 3));
    expect(scene.isCaughtUp).toBe(false);
    scene.log.take("orders", 2);
    expect(scene.isCaughtUp).toBe(true);
  });

  test("behind commit markers, with the records before them and alone", async () => {
    scene.ends = { askedAt: 2, low: 0, high: 5 };
    await scene.log.seek({});
    scene.log.deliver("orders", fetched(0, [0, 1], 3));
    scene.log.take("orders", 2);
    expect([scene.log.position("orders"), scene.isCaughtUp]).toEqual([3, false]);
    scene.log.pass("orders", 3, 5);
    expect([scene.log.position("orders"), scene.isCaughtUp]).toEqual([5, true]);
  });

  test("only by ends that were asked for later", async () => {
    await scene.log.seek({});
    expect(scene.log.caughtUp("orders", instant(2))).toBe(false);
    expect(scene.log.caughtUp("orders", instant(1))).toBe(true);
  });
});

describe("what was asked for before a seek", () => {
  beforeEach(async () => {
    scene.ends = { askedAt: 2, low: 0, high: 100 };
    await scene.log.seek({ orders: 50 });
    await scene.log.seek({ orders: 10 });
    scene.told.length = 0;
  });

  test("passes nothing: what lies between has not been read", () => {
    scene.log.pass("orders", 50, 60);
    expect(scene.log.position("orders")).toBe(10);
  });

  test("is not buffered, and the consumer is sent back", () => {
    scene.log.deliver("orders", fetched(50, [50, 51], 52));
    expect([scene.log.position("orders"), scene.buffered]).toEqual([10, []]);
    expect(scene.told).toEqual(["seek 10"]);
  });

  test("and begins before the position still tells of what comes after it", () => {
    scene.log.pass("orders", 5, 12);
    expect(scene.log.position("orders")).toBe(12);
    scene.log.deliver("orders", fetched(8, [9, 11, 12, 13], 14));
    expect([scene.log.position("orders"), scene.buffered]).toEqual([14, [12, 13]]);
    scene.log.pass("orders", 8, 13);
    expect(scene.log.position("orders")).toBe(14);
  });

  test("nor does anything move while nobody reads", async () => {
    await scene.log.close();
    scene.log.pass("orders", 10, 20);
    expect(scene.log.position("orders")).toBe(10);
  });
});

describe("overdue: the log ends further on, and nothing comes", () => {
  beforeEach(async () => {
    scene.ends = { askedAt: 2, low: 0, high: 9 };
    await scene.log.seek({ orders: 4 });
  });

  test("for so long", () => {
    vi.advanceTimersByTime(1_999);
    expect(scene.log.overdue(2_000)).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(scene.log.overdue(2_000)).toEqual([["orders", 4]]);
    scene.log.pass("orders", 4, 5);
    expect(scene.log.overdue(2_000)).toEqual([]);
  });

  test("not while records wait to be folded, nor once it is paused, nor at the end", () => {
    scene.log.deliver("orders", fetched(4, [4], 5));
    vi.advanceTimersByTime(5_000);
    expect(scene.log.overdue(2_000)).toEqual([]);
    scene.log.take("orders", 1);
    expect(scene.log.overdue(2_000)).toEqual([["orders", 5]]);
    scene.ends = { askedAt: 3, low: 0, high: 5 };
    expect(scene.log.overdue(2_000)).toEqual([]);
  });
});

test("a full buffer pauses the fetch, which goes on below half (A3)", async () => {
  scene.ends = { askedAt: 2, low: 0, high: 9 };
  await scene.log.seek({});
  scene.told.length = 0;
  scene.log.deliver("orders", fetched(0, [0, 1, 2, 3], 4));
  expect(scene.told).toEqual(["pause"]);
  scene.log.take("orders", 2);
  expect(scene.told).toEqual(["pause"]);
  scene.log.take("orders", 1);
  expect(scene.told).toEqual(["pause", "resume"]);
});
