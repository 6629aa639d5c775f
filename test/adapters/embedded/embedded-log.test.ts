import { describe, expect, test } from "vitest";
import { createFixedClock } from "../../../src/adapters/embedded/clock.ts";
import { EmbeddedLog, type EmbeddedLogOptions } from "../../../src/adapters/embedded/embedded-log.ts";
import type { CustomerEvent } from "../../../src/domain/events.ts";
import { RefusedError } from "../../../src/pipeline/errors.ts";
import type { BatchOutput, Committed, Offsets, ShardLog } from "../../../src/pipeline/ports.ts";
import { instant } from "../../../src/shared/instant.ts";
import { partitionOf } from "../../../src/shared/murmur2.ts";
import { describeLog } from "../../contract/log-suite.ts";
import { embeddedHarness, newRecord } from "./embedded-harness.ts";

describeLog("embedded, in memory", () => embeddedHarness((options) => new EmbeddedLog(options)), {
  patienceMs: 1000,
});

const NOW = instant(1_700_000_000_000);
const NOTHING: BatchOutput = { changes: [], segments: [], referrals: [], deadLetters: [] };

function makeLog(options: Partial<EmbeddedLogOptions> = {}): EmbeddedLog {
  return new EmbeddedLog({
    shards: 1,
    clock: createFixedClock(NOW),
    input: "endless",
    keep: "uncommitted",
    ...options,
  });
}

async function own(log: EmbeddedLog, shard = 0): Promise<ShardLog> {
  const handle = log.open(shard);
  await handle.fence();
  await handle.seek({});
  return handle;
}

function committedAt(offsets: Offsets): Committed {
  return { offsets, receipt: { seq: 1, clock: null, policy: "", migrating: null, silentBelow: null } };
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let isDone = false;
  const settle = (): boolean => (isDone = true);
  promise.then(settle, settle);
  await new Promise((resolve) => setImmediate(resolve));
  return isDone;
}

describe("arrival", () => {
  test("is the log's clock for records, none for lines of files, or what the record says", async () => {
    const log = makeLog();
    const shard = await own(log);
    await log.append([
      newRecord("orders", "e1"),
      { ...newRecord("orders", "e2"), file: { name: "f", line: 3 } },
      { ...newRecord("orders", "e3"), arrivedAt: instant(5) },
    ]);
    expect(shard.buffered("orders").map(({ arrivedAt }) => arrivedAt)).toEqual([NOW, null, 5]);
  });
});

describe("partitions", () => {
  test("are chosen by murmur2 of the key, or of the event's customer, and referrals cross shards", async () => {
    const log = makeLog({ shards: 4 });
    const shards = await Promise.all([0, 1, 2, 3].map((shard) => own(log, shard)));
    const ids = Array.from({ length: 40 }, (_, i) => `c${i}`);
    await log.append(ids.map((id) => newRecord("orders", id, id)));
    const event = (customerId: string): CustomerEvent => ({
      topic: "referrals",
      customerId,
      referredId: "x",
      orderId: "o",
      version: 1,
      spans: [],
    });
    await shards[0]!.commit(
      { ...NOTHING, referrals: ids.map((id) => event(id)) as BatchOutput["referrals"] },
      committedAt({}),
    );
    for (const [number, shard] of shards.entries()) {
      const mine = ids.filter((id) => partitionOf(Buffer.from(id), 4) === number);
      expect(mine.length).toBeGreaterThan(0);
      expect(shard.buffered("orders").map(({ value }) => Buffer.from(value!).toString())).toEqual(mine);
      const referrals = shard.buffered("referrals");
      expect(referrals.map(({ decoded }) => decoded?.kind === "event" && decoded.event.customerId)).toEqual(
        mine,
      );
      expect(new Set(referrals.map(({ partition }) => partition))).toEqual(new Set([number]));
    }
  });
});

describe("room", () => {
  test("append waits while too much is unread, and only for that", async () => {
    const log = makeLog({ bufferBytes: 3 * 502 });
    const shard = await own(log);
    await log.append([newRecord("orders", "e1"), newRecord("orders", "e2"), newRecord("surveys", "e3")]);
    const waiting = log.append([newRecord("orders", "e4")]);
    expect(await isSettled(waiting)).toBe(false);
    expect(shard.buffered("orders")).toHaveLength(3);
    shard.take("orders", 1);
    expect(await isSettled(waiting)).toBe(true);
    // Reading again from an earlier offset fills it up again.
    await shard.seek({});
    expect(await isSettled(log.append([]))).toBe(false);
  });

  test("what a predecessor still takes makes no room", async () => {
    const log = makeLog({ bufferBytes: 600 });
    const former = await own(log);
    const next = await own(log);
    void log.append([newRecord("orders", "e1"), newRecord("orders", "e2")]);
    const waiting = log.append([]);
    former.buffered("orders");
    former.take("orders", 2);
    expect(await isSettled(waiting)).toBe(false);
    next.buffered("orders");
    next.take("orders", 2);
    expect(await isSettled(waiting)).toBe(true);
  });
});

describe("freed records", () => {
  const many = Array.from({ length: 9000 }, (_, i) => newRecord("orders", `e${i}`));

  test("are those below the commit before the last: a state store may stand there", async () => {
    const log = makeLog({ bufferBytes: Infinity });
    const shard = await own(log);
    await log.append(many);
    await shard.commit(NOTHING, committedAt({ orders: 5000 }));
    await shard.seek({ orders: 0 });
    await shard.commit(NOTHING, committedAt({ orders: 7000 }));
    await shard.seek({ orders: 5000 });
    expect(Buffer.from(shard.buffered("orders")[0]!.value!).toString()).toBe("e5000");
    await expect(shard.seek({ orders: 4999 })).rejects.toBeInstanceOf(RefusedError);
    await shard.seek({});
    expect(shard.position("orders")).toBe(5000);
  });

  test("none, when all are to be kept", async () => {
    const log = makeLog({ bufferBytes: Infinity, keep: "all" });
    const shard = await own(log);
    await log.append(many);
    await shard.commit(NOTHING, committedAt({ orders: 5000 }));
    await shard.commit(NOTHING, committedAt({ orders: 7000 }));
    await shard.seek({});
    expect(shard.buffered("orders")[0]!.offset).toBe(0);
  });

  test("a reader gets every record once, however far freeing has come", async () => {
    const log = makeLog({ bufferBytes: Infinity });
    const shard = await own(log);
    await log.append(many);
    const seen: number[] = [];
    for (let records = shard.buffered("orders"); records.length > 0; records = shard.buffered("orders")) {
      const taken = records.slice(0, 700);
      seen.push(...taken.map(({ offset }) => offset));
      shard.take("orders", taken.length);
      await shard.commit(NOTHING, committedAt({ orders: taken.at(-1)!.offset + 1 }));
    }
    expect(seen).toEqual(many.map((_, i) => i));
  });
});

describe("input until its end", () => {
  test("an empty topic does not hold the others back, but nothing is drained before the end (S7.1b)", async () => {
    const log = makeLog({ input: "until-end" });
    const shard = await own(log);
    const caughtUp = (): boolean[] =>
      (["orders", "surveys"] as const).map((topic) => {
        shard.buffered(topic);
        return shard.caughtUp(topic, NOW);
      });
    expect(caughtUp()).toEqual([false, false]);
    await log.append([newRecord("orders", "e1")]);
    expect(caughtUp()).toEqual([true, true]);
    shard.take("orders", 1);
    expect(caughtUp()).toEqual([false, false]);
    await shard.changed(new AbortController().signal);
    const woken = shard.changed(new AbortController().signal);
    log.end();
    await woken;
    expect(caughtUp()).toEqual([true, true]);
  });
});

describe("outputs", () => {
  test("a slow taker holds the commit back; what it throws reaches the shard, yet it is committed", async () => {
    const release = Promise.withResolvers<undefined>();
    const log = makeLog({ onCommitted: () => release.promise });
    const shard = await own(log);
    const commit = shard.commit(NOTHING, committedAt({ orders: 0 }));
    expect(await isSettled(commit)).toBe(false);
    release.reject(new Error("disk full"));
    await expect(commit).rejects.toThrow("disk full");
    expect(await shard.fence()).toEqual(committedAt({ orders: 0 }));
  });
});

describe("source", () => {
  test("hands over all shards at once", async () => {
    const log = makeLog({ shards: 3 });
    const assigned: number[] = [];
    const source = log.source();
    await source.start({
      assigned: (shard) => assigned.push(shard),
      revoked: () => Promise.resolve(),
      failed: () => undefined,
    });
    await source.stop();
    expect(assigned).toEqual([0, 1, 2]);
  });
});
