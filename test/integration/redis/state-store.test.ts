import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { shardKeys, type ShardKeys } from "../../../src/adapters/redis/keys.ts";
import type { RedisStateStore } from "../../../src/adapters/redis/state-store.ts";
import { WrittenCommand } from "../../../src/adapters/redis/written-command.ts";
import { RefusedError, RetriableError } from "../../../src/pipeline/errors.ts";
import type { CustomerWrite, StateCommit } from "../../../src/pipeline/ports.ts";
import { instant } from "../../../src/shared/instant.ts";
import { startTcpProxy, type TcpProxy } from "../../tcp-proxy.ts";
import { freshApplicationId, openStore, redisUrl } from "./redis-server.ts";

let admin: Redis;
let applicationId: string;
const opened: RedisStateStore[] = [];

beforeAll(() => {
  admin = new Redis(redisUrl());
});
afterAll(() => {
  admin.disconnect();
});
beforeEach(() => {
  applicationId = freshApplicationId();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  const keys = await admin.keys(`{${applicationId}:*`);
  if (keys.length > 0) await admin.unlink(...keys);
});

function open(change: Parameters<typeof openStore>[0] = {}): RedisStateStore {
  const store = openStore({ applicationId, ...change });
  opened.push(store);
  return store;
}

function commitOf(epoch: number, expectedSeq: number, writes: readonly CustomerWrite[]): StateCommit {
  const marks = {
    seq: expectedSeq + 1,
    offsets: { orders: expectedSeq },
    clock: null,
    published: 0,
    policy: "p",
    migrating: null,
    silentBelow: null,
  };
  return { epoch, expectedSeq, writes, marks, policyText: null };
}

function customer(customerId: string, head: Uint8Array = Buffer.from([0, 0, 1])): CustomerWrite {
  return { customerId, head, chunks: [], deadlineAt: instant(5) };
}

describe("scripts", () => {
  test("are given to a Redis that has forgotten them", async () => {
    const store = open();
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 0, [customer("a")]));
    await admin.script("FLUSH");
    expect(await store.commit(0, commitOf(epoch, 1, [customer("b")]))).toEqual({ kind: "applied" });
    expect(await store.customers(0, "", 10)).toEqual(["a", "b"]);
  });

  test("keep their bytes until they are answered, and no longer", async () => {
    const sent = vi.spyOn(WrittenCommand.prototype, "toWritable");
    const store = open();
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 0, [customer("a")]));
    const [command] = sent.mock.contexts as WrittenCommand[];
    const [bytes] = sent.mock.results.map(({ value }) => value as Buffer);
    sent.mockRestore();
    expect(bytes?.length).toBeGreaterThan(100);
    expect(command?.toWritable().length).toBe(0);
  });

  test("that meet a key of another kind write nothing at all", async () => {
    const store = open();
    const { epoch } = await store.acquire(0);
    const keys = shardKeys(applicationId, 0);
    await admin.set(keys.deadlines, "not ours");
    await expect(store.commit(0, commitOf(epoch, 0, [customer("a")]))).rejects.toMatchObject({
      code: "REDIS_KEYS_TAKEN",
      retriable: false,
    });
    expect(await store.read(0, ["a"])).toEqual([null]);
    expect(await store.peek(0)).toBeNull();
    await expect(store.acquire(0)).rejects.toMatchObject({ code: "REDIS_KEYS_TAKEN" });
    expect(await admin.hget(keys.marks, "epoch"), "nor is a shard taken whose keys are another's").toBe(
      String(epoch),
    );
  });

  test("that meet a full Redis write nothing at all", async () => {
    const store = open();
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 0, [customer("a")]));
    await admin.config("SET", "maxmemory", "1");
    try {
      const full = commitOf(epoch, 1, [
        customer("b"),
        { customerId: "a", head: null, chunks: [], deadlineAt: null },
      ]);
      await expect(store.commit(0, full)).rejects.toBeInstanceOf(RetriableError);
      expect(await store.customers(0, "", 10)).toEqual(["a"]);
    } finally {
      await admin.config("SET", "maxmemory", "0");
    }
    expect((await store.acquire(0)).marks?.seq).toBe(1);
  });
});

describe("a connection that fails", () => {
  let proxy: TcpProxy;
  let url: string;

  beforeEach(async () => {
    proxy = await startTcpProxy(Number(new URL(redisUrl()).port), { remembers: true });
    url = `redis://127.0.0.1:${proxy.port}`;
  });
  afterEach(async () => {
    await proxy.down();
  });

  test("a commit whose answer is lost is an error in bounded time, is not sent again, and a resend finds it done", async () => {
    const store = open({ url, commandTimeoutMs: 300 });
    const { epoch } = await store.acquire(0);
    const commit = commitOf(epoch, 0, [customer("a")]);
    await store.commit(0, commit);
    const next = commitOf(epoch, 1, [customer("b")]);

    proxy.swallowsAnswers = true;
    const started = performance.now();
    await expect(store.commit(0, next)).rejects.toBeInstanceOf(RetriableError);
    expect(performance.now() - started).toBeLessThan(2000);
    proxy.swallowsAnswers = false;

    // The connection comes back; nothing but what is asked from now on goes over it.
    await expect
      .poll(() => store.customers(0, "", 10).catch(() => null), { timeout: 5000 })
      .toEqual(["a", "b"]);
    expect(proxy.requests(JSON.stringify(next.marks))).toBe(1);
    expect(await store.commit(0, next)).toEqual({ kind: "already" });
  });

  test("broken in the middle, everything under way fails at once", async () => {
    const store = open({ url });
    const { epoch } = await store.acquire(0);
    proxy.swallowsAnswers = true;
    const under = [store.read(0, ["a"]), store.nextDue(0), store.commit(0, commitOf(epoch, 0, []))];
    const outcomes = Promise.allSettled(under);
    setTimeout(() => proxy.cut(), 50);
    for (const outcome of await outcomes) {
      expect(outcome.status).toBe("rejected");
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(RetriableError);
    }
    proxy.swallowsAnswers = false;
    expect(await store.read(0, ["a"])).toEqual([null]);
  });

  test("away from the start, and back later", async () => {
    await proxy.down();
    const store = open({ url });
    await expect(store.check()).rejects.toMatchObject({ code: "REDIS_UNREACHABLE", retriable: true });
    await expect(store.acquire(0)).rejects.toBeInstanceOf(RetriableError);
    await proxy.up();
    await expect
      .poll(
        () =>
          store.acquire(0).then(
            () => true,
            () => false,
          ),
        { timeout: 5000 },
      )
      .toBe(true);
  });

  test("closed by its owner: no call comes back to life", async () => {
    const store = open({ url });
    await store.acquire(0);
    await store.close();
    await expect(store.acquire(0)).rejects.toBeInstanceOf(RetriableError);
  });
});

describe("check", () => {
  test("accepts the test run's server", async () => {
    await expect(open().check()).resolves.toBeUndefined();
  });

  test("refuses one that evicts", async () => {
    await admin.config("SET", "maxmemory-policy", "allkeys-lru");
    try {
      await expect(open().check()).rejects.toMatchObject({ code: "REDIS_EVICTS", retriable: false });
    } finally {
      await admin.config("SET", "maxmemory-policy", "noeviction");
    }
  });

  test("refuses one that does not know us", async () => {
    const { host } = new URL(redisUrl());
    await expect(open({ url: `redis://nobody:wrong@${host}` }).check()).rejects.toBeInstanceOf(RefusedError);
  });
});

describe("reading while somebody commits", () => {
  test("head and pages are of one commit", async () => {
    const [writer, reader] = [open(), open()];
    const { epoch } = await writer.acquire(0);
    const version = (seq: number): CustomerWrite => {
      // Pages come and go, all of one commit carry its number.
      const [first, tail] = [seq % 3, 3 + (seq % 4)];
      const chunks = Array.from({ length: 7 }, (_, page): [number, Uint8Array | null] => [
        page,
        page >= first && page < tail ? Buffer.from([seq]) : null,
      ]);
      return { customerId: "w", head: Buffer.from([first, tail, seq]), chunks, deadlineAt: null };
    };
    await writer.commit(0, commitOf(epoch, 0, [version(1)]));
    let reads = 0;
    const writing = (async (): Promise<void> => {
      for (let seq = 2; reads < 40; seq++) {
        const { kind } = await writer.commit(0, commitOf(epoch, seq - 1, [version(seq % 256)]));
        expect(kind).toBe("applied");
        // Now and then the reader finds time for both of its steps.
        if (seq % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    while (reads < 40) {
      const found = await reader.read(0, ["w"]).catch((error: unknown) => error);
      // Overtaken five times in a row it gives up for now, which is not wrong.
      if (found instanceof RetriableError) continue;
      const [stored] = found as Awaited<ReturnType<RedisStateStore["read"]>>;
      const [first = 0, tail = 0, seq = 0] = stored!.head;
      expect([...stored!.chunks]).toEqual(
        Array.from({ length: tail - first }, (_, i) => [first + i, Buffer.from([seq])]),
      );
      reads++;
    }
    await writing;
  });

  test("a head that can't be read, or names pages without end, is refused", async () => {
    const store = openStore({
      applicationId,
      pages: (head) => {
        if (head[0] === 255) throw new Error("a state part has version 255");
        return [0, (head[0] ?? 0) * 1_000_000];
      },
    });
    opened.push(store);
    const { epoch } = await store.acquire(0);
    const bytes = [Buffer.from([255]), Buffer.from([1]), Buffer.from([0])];
    await store.commit(
      0,
      commitOf(
        epoch,
        0,
        bytes.map((head, i) => customer(`c${i}`, head)),
      ),
    );
    const refused = (says: string): object => ({
      code: "STATE_DAMAGED",
      retriable: false,
      message: expect.stringContaining(says) as string,
    });
    await expect(store.read(0, ["c0"])).rejects.toMatchObject(refused("version 255"));
    await expect(store.read(0, ["c1"])).rejects.toMatchObject(refused("more pages than a customer can have"));
    expect(await store.read(0, ["c2"])).toMatchObject([{ head: bytes[2] }]);
    const gone = { customerId: "c0", head: null, chunks: [], deadlineAt: null };
    await expect(store.commit(0, commitOf(epoch, 1, [gone]))).rejects.toMatchObject(refused("version 255"));
  });

  test("a page that somebody deleted is not taken for empty: the owner is told before it builds on it", async () => {
    const store = open();
    const { epoch } = await store.acquire(0);
    const heavy = { ...customer("w", Buffer.from([0, 1])), chunks: [[0, Buffer.from("x")] as const] };
    await store.commit(0, commitOf(epoch, 0, [heavy]));
    await admin.unlink(shardKeys(applicationId, 0).chunks);
    expect(await store.read(0, ["w"])).toMatchObject([{ chunks: new Map() }]);
    expect((await store.position(0)).damage).toContain("0 chunks");
    expect((await store.acquire(0)).damage).toContain("0 chunks");
  });
});

describe("what the last commit left is counted (A4)", () => {
  const heavy = { ...customer("w", Buffer.from([0, 1])), chunks: [[0, Buffer.from("x")] as const] };

  /** Two customers, one with a page; both with deadlines. */
  async function filled(): Promise<{ store: RedisStateStore; epoch: number }> {
    const store = open();
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 0, [customer("a"), heavy]));
    return { store, epoch };
  }

  test("as long as nobody else touches it, nothing is damaged: also after deletions and a clear", async () => {
    const { store, epoch } = await filled();
    expect(await store.position(0)).toEqual({ epoch, seq: 1, damage: null });
    const gone = [{ customerId: "w", head: null, chunks: [], deadlineAt: null }];
    expect(await store.commit(0, commitOf(epoch, 1, gone))).toEqual({ kind: "applied" });
    expect(await store.commit(0, commitOf(epoch, 1, gone)), "sent again").toEqual({ kind: "already" });
    const next = await store.acquire(0);
    expect(next.epoch).toBeGreaterThan(epoch);
    expect(next.damage).toBeNull();
    expect(await store.clear(0, next.epoch)).toEqual({ kind: "applied" });
    expect(await store.acquire(0)).toMatchObject({ marks: null, damage: null });
  });

  test.each([
    [
      "a state is deleted",
      (keys: ShardKeys) => admin.hdel(keys.states, "a"),
      "now there are 1 customers, 1 chunks and 2 deadlines",
    ],
    [
      "all states are deleted",
      (keys: ShardKeys) => admin.del(keys.states),
      "now there are 0 customers, 1 chunks and 2 deadlines",
    ],
    [
      "a chunk is deleted",
      (keys: ShardKeys) => admin.del(keys.chunks),
      "now there are 2 customers, 0 chunks and 2 deadlines",
    ],
    [
      "a deadline is deleted",
      (keys: ShardKeys) => admin.zrem(keys.deadlines, "a"),
      "now there are 2 customers, 1 chunks and 1 deadlines",
    ],
    [
      "a state is added",
      (keys: ShardKeys) => admin.hset(keys.states, "b", "x"),
      "now there are 3 customers, 1 chunks and 2 deadlines",
    ],
  ] as const)("%s: neither read from nor written to, and whoever acquires is told", async (_, harm, says) => {
    const { store, epoch } = await filled();
    expect(await harm(shardKeys(applicationId, 0))).toBe(1);
    const moved = { code: "STATE_MOVED", retriable: true, message: expect.stringContaining(says) as string };
    expect((await store.position(0)).damage).toContain(says);
    await expect(store.commit(0, commitOf(epoch, 1, [customer("c")]))).rejects.toMatchObject(moved);
    expect(await store.read(0, ["c"])).toEqual([null]);
    const { marks, damage } = await store.acquire(0);
    expect(marks?.seq).toBe(1);
    expect(damage).toContain(`the last commit left 2 customers, 1 chunks and 2 deadlines, ${says}`);
  });

  test("states without marks, and marks that can't be read, are told", async () => {
    const { store } = await filled();
    const keys = shardKeys(applicationId, 0);
    await admin.hset(keys.marks, "marks", "{");
    expect(await store.acquire(0)).toMatchObject({ marks: null, damage: "its marks can't be read" });
    expect(await store.peek(0)).toBeNull();
    await admin.del(keys.marks);
    expect((await store.acquire(0)).damage).toBe(
      "2 customers, 1 chunks and 2 deadlines are there without their marks",
    );
  });

  test("a state from before it was counted is taken as it is, and counted from its next commit on", async () => {
    const { store } = await filled();
    const keys = shardKeys(applicationId, 0);
    await admin.hdel(keys.marks, "counts");
    const { epoch, damage } = await store.acquire(0);
    expect(damage).toBeNull();
    expect(await store.commit(0, commitOf(epoch, 1, [customer("b")]))).toEqual({ kind: "applied" });
    expect(await admin.hget(keys.marks, "counts")).toBe("3 1 3");
  });
});

describe("memory", () => {
  test("a customer with a head of 216 bytes and a deadline takes at most 400 bytes (A7)", async () => {
    const store = open();
    let { epoch } = await store.acquire(0);
    const customers = 100_000;
    const batch = 4000;
    for (let from = 0, seq = 0; from < customers; from += batch, seq++) {
      const writes = Array.from({ length: batch }, (_, i): CustomerWrite => {
        const number = from + i;
        const head = Buffer.alloc(216, number).fill(0, 0, 2);
        // Spread over a year, as lapse deadlines are.
        const deadlineAt = instant(1_700_000_000_000 + ((number * 2_654_435_761) % 31_536_000_000));
        return { customerId: `c${100_000 + number}`, head, chunks: [], deadlineAt };
      });
      expect(await store.commit(0, commitOf(epoch, seq, writes))).toEqual({ kind: "applied" });
    }
    const { marks, states, deadlines } = shardKeys(applicationId, 0);
    const bytes = await Promise.all(
      [marks, states, deadlines].map((key) => admin.memory("USAGE", key, "SAMPLES", 0)),
    );
    const perCustomer = bytes.reduce<number>((sum, each) => sum + (each ?? 0), 0) / customers;
    expect(perCustomer).toBeGreaterThan(216);
    expect(perCustomer).toBeLessThanOrEqual(400);
    ({ epoch } = await store.acquire(0));
    expect(await store.clear(0, epoch)).toEqual({ kind: "applied" });
  });
});
