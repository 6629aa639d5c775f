import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFixedClock } from "../../../src/adapters/embedded/clock.ts";
import type { EmbeddedLog } from "../../../src/adapters/embedded/embedded-log.ts";
import { createFolderLog, type FolderLogOptions } from "../../../src/adapters/embedded/folder-log.ts";
import { createFolderStateStore } from "../../../src/adapters/embedded/folder-state-store.ts";
import { RefusedError } from "../../../src/pipeline/errors.ts";
import type { BatchOutput, Committed, StateCommit, StateStore } from "../../../src/pipeline/ports.ts";
import { instant } from "../../../src/shared/instant.ts";
import { describeLog } from "../../contract/log-suite.ts";
import { describeStateStore } from "../../contract/state-store-suite.ts";
import { embeddedHarness, newRecord } from "./embedded-harness.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clientela-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describeStateStore("folder", async () => {
  let shards = 0;
  const own = mkdtempSync(join(tmpdir(), "clientela-"));
  const store = await createFolderStateStore(own, { sync: false });
  return {
    store,
    freshShard: () => shards++,
    async close() {
      await store.close();
      rmSync(own, { recursive: true });
    },
  };
});

describeLog(
  "embedded, in a folder",
  () => {
    const own = mkdtempSync(join(tmpdir(), "clientela-"));
    return embeddedHarness(
      (options) => createFolderLog(own, { ...options, sync: false }),
      () => rmSync(own, { recursive: true }),
    );
  },
  { patienceMs: 2000 },
);

function commitOf(epoch: number, seq: number, customers: number, size = 8): StateCommit {
  const writes = Array.from({ length: customers }, (_, i) => ({
    customerId: `c${i}`,
    head: Buffer.alloc(size, seq),
    chunks: [[0, Buffer.of(seq, i)] as const],
    deadlineAt: instant(1000 * seq + i),
  }));
  const marks = {
    seq,
    offsets: { orders: seq },
    clock: null,
    published: seq,
    policy: "p",
    migrating: null,
    silentBelow: null,
  };
  return { epoch, expectedSeq: seq - 1, writes, marks, policyText: `policy ${seq}` };
}

/** Everything a reader can see of shard 0, without touching its epoch. */
async function seen(store: StateStore): Promise<unknown> {
  const ids = await store.customers(0, "", 1e6);
  return {
    ids,
    due: await store.due(0, instant(1e15), 1e6),
    stored: (await store.read(0, ids)).map((stored) => [
      Buffer.from(stored!.head).toString("hex"),
      [...stored!.chunks].map(([page, bytes]) => [page, [...bytes]]),
    ]),
  };
}

describe("state store in a folder", () => {
  test("is there again after a restart, and its epoch goes on", async () => {
    let store = await createFolderStateStore(folder);
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 1, 3));
    const last = {
      ...commitOf(epoch, 2, 2),
      writes: [{ customerId: "c2", head: null, chunks: [], deadlineAt: null }],
    };
    await store.commit(0, last);
    const before = await seen(store);
    await store.close();

    store = await createFolderStateStore(folder);
    expect(await seen(store)).toEqual(before);
    expect(await store.commit(0, last)).toEqual({ kind: "already" });
    const again = await store.acquire(0);
    expect(again).toMatchObject({
      epoch: epoch + 1,
      policyText: "policy 2",
      marks: { seq: 2, epoch: epoch + 1 },
    });
    await store.clear(0, again.epoch);
    await store.close();

    store = await createFolderStateStore(folder);
    expect(await seen(store)).toEqual({ ids: [], due: [], stored: [] });
    expect(await store.acquire(0)).toEqual({ epoch: epoch + 2, marks: null, policyText: "policy 2" });
    await store.close();
  });

  test("cut off anywhere, it stands at the last whole commit", async () => {
    let store = await createFolderStateStore(folder);
    const { epoch } = await store.acquire(0);
    const path = join(folder, "state-0.journal");
    const views = new Map<number, unknown>([[statSync(path).size, await seen(store)]]);
    for (let seq = 1; seq <= 3; seq++) {
      await store.commit(0, commitOf(epoch, seq, seq));
      views.set(statSync(path).size, await seen(store));
    }
    await store.close();
    const whole = readFileSync(path);
    const [first = 0] = views.keys();
    for (let length = first; length <= whole.length; length += 7) {
      writeFileSync(path, whole.subarray(0, length));
      store = await createFolderStateStore(folder);
      const reached = Math.max(...[...views.keys()].filter((size) => size <= length));
      expect(await seen(store)).toEqual(views.get(reached));
      // And it can be written on.
      const { epoch: next, marks } = await store.acquire(0);
      expect(await store.commit(0, commitOf(next, (marks?.seq ?? 0) + 1, 1))).toEqual({ kind: "applied" });
      await store.close();
      store = await createFolderStateStore(folder);
      expect((await store.acquire(0)).marks?.seq).toBe((marks?.seq ?? 0) + 1);
      await store.close();
    }
  });

  test("zeros at the end, as a power cut leaves them, are cut off; damage in the middle is refused", async () => {
    let store = await createFolderStateStore(folder);
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 1, 3));
    await store.commit(0, commitOf(epoch, 2, 3));
    const before = await seen(store);
    await store.close();
    const path = join(folder, "state-0.journal");
    const whole = readFileSync(path);
    writeFileSync(path, Buffer.concat([whole, Buffer.alloc(4096)]));
    store = await createFolderStateStore(folder);
    expect(await seen(store)).toEqual(before);
    await store.close();

    whole[whole.length >> 1]! ^= 1;
    writeFileSync(path, whole);
    store = await createFolderStateStore(folder);
    await expect(store.acquire(0)).rejects.toBeInstanceOf(RefusedError);
    await store.close();
  });

  test("is made anew when it has grown far beyond what it holds", async () => {
    let store = await createFolderStateStore(folder, { sync: false });
    const { epoch } = await store.acquire(0);
    const rounds = 60;
    for (let seq = 1; seq <= rounds; seq++) await store.commit(0, commitOf(epoch, seq, 50, 4096));
    const before = await seen(store);
    await store.close();
    const written = rounds * 50 * 4096;
    expect(statSync(join(folder, "state-0.journal")).size).toBeLessThan(written / 2);
    store = await createFolderStateStore(folder);
    expect(await seen(store)).toEqual(before);
    expect(await store.acquire(0)).toMatchObject({ epoch: epoch + 1, marks: { seq: rounds } });
    await store.close();
  });

  test("belongs to one process at a time", async () => {
    const store = await createFolderStateStore(folder);
    await expect(createFolderStateStore(folder)).rejects.toBeInstanceOf(RefusedError);
    await store.close();
    // Left behind by a process that has ended.
    writeFileSync(join(folder, "state.lock"), "999999999\n");
    await (await createFolderStateStore(folder)).close();
  });
});

const NOTHING: BatchOutput = { changes: [], segments: [], referrals: [], deadLetters: [] };

function committedAt(offset: number, seq: number): Committed {
  return {
    offsets: { orders: offset },
    receipt: { seq, clock: null, policy: "", migrating: null, silentBelow: null },
  };
}

describe("log in a folder", () => {
  const outputs: [shard: number, seq: number, customers: string[]][] = [];
  beforeEach(() => {
    outputs.length = 0;
  });

  function openLog(change: Partial<FolderLogOptions> = {}): Promise<EmbeddedLog> {
    return createFolderLog(folder, {
      shards: 1,
      clock: createFixedClock(instant(77)),
      input: "endless",
      keep: "uncommitted",
      sync: false,
      onCommitted: (shard, output, { receipt }) =>
        void outputs.push([shard, receipt.seq, output.segments.map(({ customerId }) => customerId)]),
      ...change,
    });
  }

  test("records, offsets, receipt and referrals are there again after a restart", async () => {
    let log = await openLog();
    let shard = log.open(0);
    await shard.fence();
    await shard.seek({});
    await log.append([newRecord("orders", "e1"), newRecord("orders", "e2")]);
    const referral = {
      topic: "referrals",
      customerId: "c9",
      referredId: "c1",
      orderId: "o1",
      version: 5,
      spans: [],
    } as const;
    const segments = [{ customerId: "c1", segment: null }];
    await shard.commit({ ...NOTHING, segments, referrals: [referral] }, committedAt(1, 3));
    const records = [...shard.buffered("orders"), ...shard.buffered("referrals")];
    await log.close();
    expect(outputs).toEqual([[0, 3, ["c1"]]]);

    log = await openLog();
    shard = log.open(0);
    expect(await shard.fence()).toEqual(committedAt(1, 3));
    await shard.seek({ orders: 0 });
    expect([...shard.buffered("orders"), ...shard.buffered("referrals")]).toEqual(records);
    expect(shard.buffered("referrals")[0]?.decoded).toEqual({ kind: "event", event: referral });
    // Nobody knows whether the output was taken before the end: it comes once more.
    expect(outputs).toEqual([
      [0, 3, ["c1"]],
      [0, 3, ["c1"]],
    ]);
    await log.close();
  });

  test("a commit that was cut off has not happened, its referrals neither", async () => {
    let log = await openLog();
    let shard = log.open(0);
    await shard.fence();
    await log.append([newRecord("orders", "e1")]);
    const size = statSync(join(folder, "log.journal")).size;
    const referral = {
      topic: "referrals",
      customerId: "c9",
      referredId: "c1",
      orderId: "o1",
      version: 5,
      spans: [],
    } as const;
    await shard.commit({ ...NOTHING, referrals: [referral] }, committedAt(1, 3));
    await log.close();
    const path = join(folder, "log.journal");
    const whole = readFileSync(path);
    for (const length of [whole.length - 1, (whole.length + size) >> 1, size + 1]) {
      writeFileSync(path, whole.subarray(0, length));
      log = await openLog();
      shard = log.open(0);
      expect(await shard.fence()).toBeNull();
      expect(shard.buffered("referrals")).toHaveLength(0);
      expect(shard.buffered("orders")).toHaveLength(1);
      await log.close();
    }
  });

  test("is made anew as records are freed, and keeps offsets, the last receipt and its output", async () => {
    let log = await openLog({ bufferBytes: Infinity });
    let shard = log.open(0);
    await shard.fence();
    await shard.seek({});
    const value = Buffer.alloc(1000, "x");
    const rounds = 100;
    for (let round = 0; round < rounds; round++) {
      await log.append(
        Array.from({ length: 100 }, (_, i) => ({ ...newRecord("orders", `${round}-${i}`), value })),
      );
      for (let left = 100; left > 0;) {
        const count = shard.buffered("orders").length;
        shard.take("orders", count);
        left -= count;
      }
      const segments = [{ customerId: `c${round}`, segment: null }];
      await shard.commit({ ...NOTHING, segments }, committedAt(100 * (round + 1), round + 1));
    }
    await log.close();
    expect(statSync(join(folder, "log.journal")).size).toBeLessThan((rounds * 100 * 1000) / 1.5);
    outputs.length = 0;

    log = await openLog();
    shard = log.open(0);
    expect(await shard.fence()).toEqual(committedAt(100 * rounds, rounds));
    expect(outputs).toEqual([[0, rounds, [`c${rounds - 1}`]]]);
    await shard.seek({ orders: 100 * rounds });
    await log.append([newRecord("orders", "next")]);
    expect(shard.buffered("orders").map(({ offset }) => offset)).toEqual([100 * rounds]);
    await expect(shard.seek({ orders: 0 })).rejects.toBeInstanceOf(RefusedError);
    await log.close();
  });

  test("for another number of shards is refused", async () => {
    await (await openLog({ shards: 2 })).close();
    await expect(openLog({ shards: 3 })).rejects.toBeInstanceOf(RefusedError);
    await (await openLog({ shards: 2 })).close();
  });
});
