import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { shardKeys } from "../../../src/adapters/redis/keys.ts";
import type { RedisStateStore } from "../../../src/adapters/redis/state-store.ts";
import { RefusedError } from "../../../src/pipeline/errors.ts";
import { NODE_TIMEOUT_MS, RedisCluster } from "./redis-cluster.ts";
import type { RedisProcess } from "./redis-process.ts";
import { freshApplicationId, openStore } from "./redis-server.ts";
import { commitOf, Owner, untilDone } from "./shard-owner.ts";

const SHARDS = 8;

let cluster: RedisCluster;
let applicationId: string;
const opened: RedisStateStore[] = [];

beforeAll(async () => {
  cluster = await RedisCluster.start();
});
afterAll(() => cluster.stop());
beforeEach(async () => {
  applicationId = freshApplicationId();
  // Whatever the test before did to it, or a machine that stood still for longer than a node's time.
  await cluster.untilOk();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
});

function open(change: Parameters<typeof openStore>[0] = {}): RedisStateStore {
  const store = openStore({
    url: cluster.url,
    cluster: true,
    applicationId,
    connectTimeoutMs: 2 * NODE_TIMEOUT_MS,
    ...change,
  });
  opened.push(store);
  return store;
}

function marksKey(shard: number): string {
  return shardKeys(applicationId, shard).marks;
}

async function otherMaster(than: RedisProcess): Promise<RedisProcess> {
  const found = (await cluster.masters()).find((server) => server !== than);
  if (found === undefined) throw new Error("a cluster of one master");
  return found;
}

describe("a client of a cluster", () => {
  test("gets all shards through at once, over all masters, on its first try", async () => {
    const store = open();
    const acquired = await Promise.all(Array.from({ length: SHARDS }, (_, shard) => store.acquire(shard)));
    expect(acquired.map(({ marks }) => marks)).toEqual(acquired.map(() => null));
    const owners = new Set<string>();
    for (let shard = 0; shard < SHARDS; shard++)
      owners.add((await cluster.masterOf(marksKey(shard))).address);
    expect(owners.size).toBe(3);
  });

  test("gives the script to the very node that does not know it", async () => {
    const store = open();
    const { epoch } = await store.acquire(0);
    for (const { admin } of await cluster.masters()) await admin.script("FLUSH");
    expect(await store.commit(0, commitOf(epoch, 1, "a"))).toEqual({ kind: "applied" });
    expect(await store.customers(0, "", 10)).toEqual(["a"]);
  });

  test("that knows one node finds the others", async () => {
    const [first] = cluster.servers;
    const store = open({ url: first?.url ?? "" });
    for (let shard = 0; shard < SHARDS; shard++) await store.acquire(shard);
  });

  test("refuses a master that evicts, whichever it is, also one that is not asked at first", async () => {
    for (const { admin } of await cluster.masters()) {
      await admin.config("SET", "maxmemory-policy", "allkeys-lru");
      await expect(open().check()).rejects.toMatchObject({ code: "REDIS_EVICTS", retriable: false });
      await admin.config("SET", "maxmemory-policy", "noeviction");
    }
    await expect(open().check()).resolves.toBeUndefined();
  });

  test("refuses a replica that would evict once it takes over", async () => {
    const replica = await cluster.replicaOf(await cluster.masterOf(marksKey(0)));
    await replica.admin.config("SET", "maxmemory-policy", "volatile-ttl");
    try {
      await expect(open().check()).rejects.toMatchObject({ code: "REDIS_EVICTS", retriable: false });
    } finally {
      await replica.admin.config("SET", "maxmemory-policy", "noeviction");
    }
  });

  test("refuses a shard whose server began to evict after the start", async () => {
    const store = open();
    await store.check();
    await store.acquire(0);
    const { admin } = await cluster.masterOf(marksKey(0));
    await admin.config("SET", "maxmemory-policy", "allkeys-random");
    try {
      await expect(store.acquire(0)).rejects.toBeInstanceOf(RefusedError);
    } finally {
      await admin.config("SET", "maxmemory-policy", "noeviction");
    }
  });
});

describe("a slot that is moved", () => {
  test("between two commands: the next goes to its new master (MOVED)", async () => {
    const store = open();
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 1, "a"));
    await cluster.moveSlot(marksKey(0), await otherMaster(await cluster.masterOf(marksKey(0))));
    expect(await store.commit(0, commitOf(epoch, 2, "b"))).toEqual({ kind: "applied" });
    expect(await store.customers(0, "", 10)).toEqual(["a", "b"]);
  });

  test("key by key: what names keys on both sides is refused for now, never answered from one side, and all goes on once the slot is whole (ASK, TRYAGAIN)", async () => {
    const store = open();
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 1, "a"));
    let seq = 1;
    const waits: (readonly [moved: number, read: boolean, position: boolean, commit: boolean])[] = [];
    /** Whether it has to wait; its answer otherwise is checked. */
    const waitsFor = async <T>(asked: Promise<T>, check: (answer: T) => void): Promise<boolean> => {
      const answer = await asked.catch((error: unknown) => error);
      if (!(answer instanceof Error)) {
        check(answer as T);
        return false;
      }
      expect(answer).toMatchObject({ code: "REDIS_UNAVAILABLE", retriable: true });
      expect(answer.message).toContain("slot is being moved");
      return true;
    };
    const target = await otherMaster(await cluster.masterOf(marksKey(0)));
    await cluster.moveSlot(marksKey(0), target, async (moved) => {
      const read = await waitsFor(store.read(0, ["a"]), ([found]) => expect(found?.head[2]).toBe(1));
      const position = await waitsFor(store.position(0), (found) =>
        expect(found).toEqual({ epoch, seq, damage: null }),
      );
      expect(await store.nextDue(0)).toBe(1);
      const commit = await waitsFor(store.commit(0, commitOf(epoch, seq + 1, "b")), (found) => {
        expect(found).toEqual({ kind: "applied" });
        seq++;
      });
      waits.push([moved, read, position, commit]);
    });
    // Marks, states, chunks and deadlines: with none of them moved, and with all, nothing is in the way. In which order they go is
    // the server's: marks and states, which a read asks for, are on both sides at one step at least.
    expect(waits.map(([moved, , position, commit]) => [moved, position, commit])).toEqual([
      [0, false, false],
      [1, true, true],
      [2, true, true],
      [3, true, true],
      [4, false, false],
    ]);
    const reads = waits.map(([, read]) => read);
    expect([reads.at(0), reads.includes(true), reads.at(-1)]).toEqual([false, true, false]);
    expect(await store.position(0)).toEqual({ epoch, seq: 3, damage: null });
  });

  test("while owners commit: each commit once, in order, none lost", async () => {
    const store = open();
    const owners = [0, 1, 2].map((shard) => new Owner(store, shard));
    await expect.poll(() => owners.every(({ applied }) => applied.length > 20)).toBe(true);
    for (let round = 0; round < 4; round++) {
      await cluster.moveSlot(marksKey(0), await otherMaster(await cluster.masterOf(marksKey(0))));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await Promise.all(owners.map((owner) => owner.stop()));
    for (const { shard, applied } of owners) {
      const last = applied.at(-1) ?? 0;
      expect((await store.position(shard)).seq).toBe(last);
      expect((await store.customers(shard, "", 1_000_000)).length).toBe(last);
    }
  });
});

describe("a failover", () => {
  /** Commit 2, asked again as a shard does while nodes still call the cluster down. */
  async function goOn(store: RedisStateStore, epoch: number): Promise<void> {
    const { value, troubles } = await untilDone(() => store.commit(0, commitOf(epoch, 2, "b")));
    const isRepeated = troubles.some((trouble) => trouble.startsWith("REDIS_TIMEOUT"));
    expect(isRepeated ? ["applied", "already"] : ["applied"]).toContain(value.kind);
    expect((await untilDone(() => store.position(0))).value).toEqual({ epoch, seq: 2, damage: null });
  }

  test("of a master that is killed: troubles that pass and say what they are, then on with nothing to set right by hand", async () => {
    const store = open({ commandTimeoutMs: 2000 });
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 1, "a"));
    const master = await cluster.masterOf(marksKey(0));
    await cluster.untilOk();
    await master.kill();
    const { value: acquired, troubles } = await untilDone(() => store.acquire(0), 10 * NODE_TIMEOUT_MS);
    expect(troubles.length).toBeGreaterThan(0);
    for (const trouble of troubles)
      expect(trouble).toMatch(/^REDIS_(UNREACHABLE|UNAVAILABLE|TIMEOUT): Redis /);
    expect(acquired.marks?.seq).toBe(1);
    await goOn(store, acquired.epoch);
    // Shards of other masters go on as well.
    for (let shard = 1; shard < SHARDS; shard++) await untilDone(() => store.acquire(shard));
    await master.start();
    await cluster.untilOk();
  });

  test("of a master that is frozen, and awake again as a replica", async () => {
    const store = open({ commandTimeoutMs: 500 });
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 1, "a"));
    const master = await cluster.masterOf(marksKey(0));
    const thawed = master.freeze(4 * NODE_TIMEOUT_MS);
    const { value: acquired } = await untilDone(() => store.acquire(0));
    expect(acquired.marks?.seq).toBe(1);
    await goOn(store, acquired.epoch);
    await thawed;
    await cluster.untilOk();
    expect(await cluster.masterOf(marksKey(0))).not.toBe(master);
    const { value: seen } = await untilDone(() => store.position(0));
    expect(seen).toEqual({ epoch: acquired.epoch, seq: 2, damage: null });
  });

  test("that both sides agreed on loses nothing", async () => {
    const store = open();
    const owner = new Owner(store, 0);
    await expect.poll(() => owner.applied.length > 20).toBe(true);
    await cluster.failOver(await cluster.replicaOf(await cluster.masterOf(marksKey(0))));
    const before = owner.applied.length;
    await expect.poll(() => owner.applied.length > before + 20, { timeout: 10_000 }).toBe(true);
    await owner.stop();
    expect(new Set(owner.applied).size).toBe(owner.applied.length);
    expect((await store.customers(0, "", 1_000_000)).length).toBe(owner.applied.at(-1));
  });

  test("forced on a replica that is behind loses a suffix, and is noticed by the next commit and by a read's position (A4)", async () => {
    const [store, other] = [open(), open()];
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 1, "a"));
    const master = await cluster.masterOf(marksKey(0));
    const replica = await cluster.replicaOf(master);
    await cluster.untilOk();
    const letGo = await cluster.holdBack(replica, master);
    await store.commit(0, commitOf(epoch, 2, "b"));
    await store.commit(0, commitOf(epoch, 3, "c"));
    await cluster.failOver(replica, "FORCE").finally(letGo);
    await cluster.untilOk();

    const { value: position } = await untilDone(() => store.position(0));
    expect(position).toEqual({ epoch, seq: 1, damage: null });
    expect(await store.commit(0, commitOf(epoch, 4, "d"))).toEqual({ kind: "behind", seq: 1 });
    expect(await store.customers(0, "", 10)).toEqual(["a"]);
    expect((await other.acquire(0)).marks?.seq).toBe(1);
  });

  test("that loses an owner's epoch never gives it to another: the former one stays fenced (A4)", async () => {
    const [sleeper, successor] = [open(), open()];
    const { epoch: first } = await sleeper.acquire(0);
    await sleeper.commit(0, commitOf(first, 1, "a"));
    const master = await cluster.masterOf(marksKey(0));
    const replica = await cluster.replicaOf(master);
    await cluster.untilOk();
    const letGo = await cluster.holdBack(replica, master);
    const { epoch: forgotten } = await sleeper.acquire(0);
    await cluster.failOver(replica, "FORCE").finally(letGo);
    await cluster.untilOk();

    const { value: held } = await untilDone(() => successor.acquire(0));
    expect(held.marks?.seq).toBe(1);
    expect(held.epoch).not.toBe(forgotten);
    expect(await sleeper.commit(0, commitOf(forgotten, 2, "stray"))).toEqual({
      kind: "fenced",
      epoch: held.epoch,
    });
    expect(await successor.commit(0, commitOf(held.epoch, 2, "b"))).toEqual({ kind: "applied" });
    expect(await successor.customers(0, "", 10)).toEqual(["a", "b"]);
  });
});

describe("a commit that waits for replicas", () => {
  test("is on the replica when it is answered, however long that takes the replica", async () => {
    const store = open({ wait: { replicas: 1, timeoutMs: 10 * NODE_TIMEOUT_MS } });
    const { epoch } = await store.acquire(0);
    const replica = await cluster.replicaOf(await cluster.masterOf(marksKey(0)));
    const thawed = replica.freeze(NODE_TIMEOUT_MS / 2);
    const started = performance.now();
    expect(await store.commit(0, commitOf(epoch, 1, "a"))).toEqual({ kind: "applied" });
    expect(performance.now() - started).toBeGreaterThan(NODE_TIMEOUT_MS / 4);
    await thawed;
    await replica.admin.readonly();
    expect(await replica.admin.hget(marksKey(0), "seq")).toBe("1");
  });

  test("without enough replicas goes on after its time, says so once, and says when they are back", async () => {
    const told: string[] = [];
    const tell = (_fields: object, message: string): void => void told.push(message);
    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: tell, warn: tell, error: tell };
    const store = open({ wait: { replicas: 1, timeoutMs: 1500 }, logger });
    const { epoch } = await store.acquire(0);
    await store.commit(0, commitOf(epoch, 1, "a"));
    expect(told).toEqual([]);
    const master = await cluster.masterOf(marksKey(0));
    const replica = await cluster.replicaOf(master);
    const letGo = await cluster.holdBack(replica, master);
    const started = performance.now();
    expect(await store.commit(0, commitOf(epoch, 2, "b"))).toEqual({ kind: "applied" });
    expect(performance.now() - started).toBeGreaterThan(1450);
    expect(told).toHaveLength(1);
    const again = performance.now();
    expect(await store.commit(0, commitOf(epoch, 3, "c"))).toEqual({ kind: "applied" });
    expect(performance.now() - again, "a replica that is known to be away is not waited for").toBeLessThan(
      700,
    );
    await letGo();
    await cluster.untilOk();
    let seq = 3;
    await expect
      .poll(
        async () => {
          seq++;
          expect(await store.commit(0, commitOf(epoch, seq, "d"))).toEqual({ kind: "applied" });
          return told.length;
        },
        { timeout: 5000 },
      )
      .toBe(2);
  });
});
