import { describe, expect, test } from "vitest";
import { RefusedError } from "../../src/pipeline/errors.ts";
import type { Committed, Marks, ShardLog, StateStore } from "../../src/pipeline/ports.ts";
import { endOf } from "../../src/pipeline/shard-clock.ts";
import { day, order } from "./facts.ts";
import { followChains, World, type Owner, type WorldSetup } from "./world.ts";

/** A shard that has published something and was stopped. */
async function lived(setup: WorldSetup = {}): Promise<World> {
  const world = new World({ startAt: day(20), ...setup });
  await world.append(order("a", 1), order("b", 2), order("a", 19));
  await world.settle(world.own());
  await world.stop();
  return world;
}

async function refusal(world: World, owner: Owner): Promise<RefusedError> {
  world.owners.delete(owner);
  const error = await owner.ended;
  expect(error).toBeInstanceOf(RefusedError);
  return error as RefusedError;
}

describe("the store has lost everything (A4)", () => {
  test("stop: it refuses, says what was found and what to do, and has changed nothing", async () => {
    const world = await lived();
    const before = world.transactions.length;
    await world.store.forgetAll();
    const error = await refusal(world, world.own());
    expect(error.code).toBe("STATE_LOST");
    expect(error.message).toMatch(/shard 0.*no marks.*published.*CLIENTELA_ON_STATE_LOSS=rebuild/s);
    expect(world.transactions).toHaveLength(before);
  });

  test("rebuild: folded from the start in silence, and nothing is published twice", async () => {
    const world = await lived();
    const before = { transactions: world.transactions.length, a: await world.state("a") };
    await world.store.forgetAll();
    const owner = world.own({ options: { onStateLoss: "rebuild" } });
    await world.settle(owner);
    expect(world.transactions).toHaveLength(before.transactions);
    expect(await world.state("a")).toEqual(before.a);
    await world.append(order("b", 20));
    await world.settle(owner);
    await world.stop();
    followChains(world.changes);
    expect(world.changes.at(-1)).toMatchObject({ customerId: "b", change: { current: { stage: "BUYER" } } });
  });

  test.each([
    [
      "lies beyond the output in an offset",
      (marks: Marks): Partial<Marks> => ({ offsets: { ...marks.offsets, orders: 99 } }),
    ],
    ["lies beyond the output in its clock", (): Partial<Marks> => ({ clock: endOf(day(900)) })],
    [
      "contains what was never published",
      (marks: Marks): Partial<Marks> => ({ published: marks.published + 1 }),
    ],
  ])(
    "astray: a state that %s (a former owner wrote after the store had lost the newer epoch)",
    async (_, change) => {
      const world = await lived();
      const before = { transactions: world.transactions.length, a: await world.state("a") };
      const { epoch, marks } = await world.store.inner.acquire(0);
      const astray = { ...marks!, seq: marks!.seq + 1, published: marks!.published - 1, ...change(marks!) };
      const commit = { epoch, expectedSeq: marks!.seq, writes: [], marks: astray, policyText: null };
      expect(await world.store.inner.commit(0, commit)).toEqual({ kind: "applied" });
      expect((await refusal(world, world.own())).message).toContain("astray");
      await world.settle(world.own({ options: { onStateLoss: "rebuild" } }));
      await world.stop();
      expect(world.transactions).toHaveLength(before.transactions);
      expect(await world.state("a")).toEqual(before.a);
    },
  );

  test("rebuild from a log whose beginning is gone: it refuses", async () => {
    const world = await lived({ keep: "uncommitted" });
    await world.append(order("c", 19));
    await world.settle(world.own());
    await world.stop();
    await world.store.forgetAll();
    const error = await refusal(world, world.own({ options: { onStateLoss: "rebuild" } }));
    expect(error.code).toBe("LOG_TRIMMED");
    expect(error.message).toMatch(/orders-0 starts at offset \d+/);
    expect(
      (await world.state("c"))?.orders,
      "nothing was cleared for a rebuild that can't be",
    ).toBeUndefined();
  });

  test("rebuild of a shard that began when the log's beginning was gone already: from where it began", async () => {
    const world = new World({ startAt: day(20), keep: "uncommitted" });
    const former = world.own();
    for (const at of [1, 19]) {
      await world.append(order("a", at));
      await world.settle(former);
    }
    await world.stop();
    // Another application, later, on what is left.
    let committed: Committed | null = null;
    const log = (inner: ShardLog): ShardLog => ({
      ...inner,
      fence: async () => {
        await inner.fence();
        return committed;
      },
      commit: (_, next) => {
        committed = next;
        return Promise.resolve();
      },
    });
    await world.store.forgetAll();
    const own = (): Owner => world.own({ log, options: { onStateLoss: "rebuild", refreshMs: 0 } });
    await world.append(order("b", 2));
    const first = own();
    await world.settle(first);
    first.shard.stop();
    expect((await world.marks())?.begin).toEqual({ orders: 1 });
    const before = await world.state("b");
    await world.store.forgetAll();
    await world.settle(own());
    expect(await world.state("b")).toEqual(before);
    await world.stop();
  });
});

describe("the state is damaged (A4): something else has deleted or added parts of it", () => {
  const damaged =
    (damage: string) =>
    (inner: StateStore): StateStore => ({
      ...inner,
      acquire: async (shard) => ({ ...(await inner.acquire(shard)), damage }),
      position: async (shard) => ({ ...(await inner.position(shard)), damage }),
    });

  test("stop: it refuses and says how", async () => {
    const world = await lived();
    const before = await world.marks();
    const error = await refusal(world, world.own({ store: damaged("1 customer is missing") }));
    expect(error.code).toBe("STATE_LOST");
    expect(error.message).toContain("the state is damaged (1 customer is missing)");
    expect((await world.marks())?.seq).toBe(before?.seq);
  });

  test("rebuild: the state is what it was, and nothing is published twice", async () => {
    const world = await lived();
    const before = { transactions: world.transactions.length, a: await world.state("a") };
    let isDamaged = false;
    const harm = (): string | null => (isDamaged ? "1 customer is missing" : null);
    const store = (inner: StateStore): StateStore => ({
      ...inner,
      acquire: async (shard) => ({ ...(await inner.acquire(shard)), damage: harm() }),
      position: async (shard) => ({ ...(await inner.position(shard)), damage: harm() }),
      clear: (shard, epoch) => {
        isDamaged = false;
        return inner.clear(shard, epoch);
      },
    });
    const owner = world.own({ store, options: { onStateLoss: "rebuild" } });
    await world.settle(owner);
    // While it runs, until the state is cleared.
    isDamaged = true;
    await world.until(() => !isDamaged, 1);
    await world.settle(owner);
    await world.stop();
    expect(world.transactions).toHaveLength(before.transactions);
    expect(await world.state("a")).toEqual(before.a);
  });

  test("states without marks are not taken for a fresh start when nothing was ever committed", async () => {
    const world = new World();
    const error = await refusal(
      world,
      world.own({ store: damaged("2 customers are there without their marks") }),
    );
    expect(error.code).toBe("OFFSETS_LOST");
    expect(world.transactions).toEqual([]);
  });
});

describe("what is not a loss (A4)", () => {
  test("a crash between the first transaction and its script: the gap is folded again", async () => {
    const world = new World();
    await world.append(order("a", 1));
    const first = world.own({
      adversary: (call) => (call === "script" && world.changes.length > 0 ? "stall" : null),
    });
    await world.until(() => world.changes.length > 0);
    first.life.kill();
    await world.settle(world.own());
    await world.stop();
    expect(world.changes).toHaveLength(1);
    expect((await world.state("a"))?.orders).toHaveLength(1);
  });

  test("a contender who asked the store before the first owner began, and the log after: it tries again", async () => {
    const world = new World();
    let isFirst = true;
    const slow = world.own({
      adversary: (call) => {
        if (call !== "fence" || !isFirst) return null;
        isFirst = false;
        return "stall";
      },
    });
    await world.until(() => world.held.count === 1);
    const quick = world.own();
    await world.append(order("a", 1));
    await world.settle(quick);
    quick.shard.stop();
    world.held.releaseAll();
    await world.settle(slow);
    await world.stop();
    expect(world.changes).toHaveLength(1);
  });
});

describe("what an owner finds wrong because another came in between (A4)", () => {
  test("marks that are older than the log's beginning by now: it tries again, and refuses nothing", async () => {
    const world = await lived({ keep: "uncommitted" });
    let isFirst = true;
    const slow = world.own({
      adversary: (call) => {
        if (call !== "fence" || !isFirst) return null;
        isFirst = false;
        return "stall";
      },
    });
    await world.until(() => world.held.count === 1);
    const quick = world.own();
    for (const customerId of ["c", "d", "e"]) {
      await world.append(order(customerId, 19));
      await world.settle(quick);
    }
    quick.shard.stop();
    await quick.ended;
    world.held.releaseAll();
    await world.settle(slow);
    await world.stop();
    expect(followChains(world.changes).size).toBe(5);
  });
});

describe("a store that forgets an owner (A4)", () => {
  test("what was read while another had the shard is of no use, though the store is back where it was", async () => {
    const world = await lived();
    let isFirst = true;
    const takeOver = async (): Promise<void> => {
      const quick = world.own();
      await world.settle(quick);
      quick.shard.stop();
      await quick.ended;
      world.owners.delete(quick);
    };
    const slow = world.own({
      store: (inner) => ({
        ...inner,
        read: async (...asked) => {
          if (!isFirst) return inner.read(...asked);
          isFirst = false;
          const writes = world.store.writes;
          await takeOver();
          try {
            return await inner.read(...asked);
          } finally {
            await world.store.forget(world.store.writes - writes);
          }
        },
      }),
    });
    await world.append(order("a", 19.5));
    await world.settle(slow);
    await world.stop();
    followChains(world.changes);
    expect(isFirst).toBe(false);
    expect((await world.state("a"))?.orders).toHaveLength(3);
  });
});

describe("offsets and log (A4)", () => {
  test("marks, but no offsets with a receipt: it refuses and names both ways out", async () => {
    const world = await lived();
    const log = (inner: ShardLog): ShardLog => ({ ...inner, fence: () => Promise.resolve(null) });
    const error = await refusal(world, world.own({ log }));
    expect(error.code).toBe("OFFSETS_LOST");
    expect(error.message).toMatch(/marks.*no committed offsets.*CLIENTELA_APPLICATION_ID/s);
  });

  test("a committed offset that is no longer in the log: it refuses, never skips", async () => {
    const world = await lived();
    const log = (inner: ShardLog): ShardLog => ({
      ...inner,
      seek: (offsets) => inner.seek({ ...offsets, orders: (offsets.orders ?? 0) + 100 }),
    });
    const error = await refusal(world, world.own({ log }));
    expect(error.code).toBe("OFFSET_OUT_OF_RANGE");
  });

  test("a state that can't be read: it refuses", async () => {
    const world = await lived();
    const marks = await world.marks();
    const damaged = { customerId: "a", head: Buffer.from([255, 1, 2]), chunks: [], deadlineAt: null };
    const { epoch } = await world.store.inner.acquire(0);
    await world.store.inner.commit(0, {
      epoch,
      expectedSeq: marks!.seq,
      writes: [damaged],
      marks: { ...marks!, seq: marks!.seq + 1 },
      policyText: null,
    });
    await world.append(order("a", 20));
    expect((await refusal(world, world.own())).code).toBe("STATE_DAMAGED");
    await world.settle(world.own({ options: { onStateLoss: "rebuild" } }));
    await world.stop();
    followChains(world.changes);
    expect((await world.state("a"))?.orders).toHaveLength(3);
  });

  test("a state that can't be read even after it was rebuilt is refused: that is no loss", async () => {
    const world = await lived();
    const store = (inner: StateStore): StateStore => ({
      ...inner,
      read: (_, ids) => Promise.resolve(ids.map(() => ({ head: Buffer.from([255]), chunks: new Map() }))),
    });
    const options = { onStateLoss: "rebuild", cacheBytes: 0 } as const;
    const owner = world.own({ store, options });
    await world.append(order("a", 20));
    expect((await refusal(world, owner)).code).toBe("STATE_DAMAGED");
  });
});
