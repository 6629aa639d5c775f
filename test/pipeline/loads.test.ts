import { expect, test } from "vitest";
import { RetriableError } from "../../src/pipeline/errors.ts";
import type { ShardLog, StateStore } from "../../src/pipeline/ports.ts";
import { day, order } from "./facts.ts";
import { followChains, World, type Owner } from "./world.ts";

const NEVER_MS = 1_000_000_000;
/** A batch may fill while more is coming in: time stands still but where a test moves it. */
const MANY = { batchRecords: 32_000, commitIntervalMs: 1000 };

/** A store whose reads of customers wait while `isShut`, and what it was asked for. */
class Reads {
  isShut = true;
  /** Customers of each read. */
  readonly asked: (readonly string[])[] = [];
  underWay = 0;
  #waiting: (() => void)[] = [];

  /** As OwnerSetup.store. */
  readonly through = (inner: StateStore): StateStore => ({
    ...inner,
    read: async (shard, customerIds, held) => {
      this.asked.push(customerIds);
      this.underWay++;
      try {
        if (this.isShut) await new Promise<void>((resolve) => this.#waiting.push(resolve));
        return await inner.read(shard, customerIds, held);
      } finally {
        this.underWay--;
      }
    },
  });

  /** Lets those go on that wait. */
  release(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  open(): void {
    this.isShut = false;
    this.release();
  }
}

function orders(count: number, days: number, from = 0): ReturnType<typeof order>[] {
  return Array.from({ length: count }, (_, i) => order(`c${from + i}`, days));
}

/** Offset of the first order that the owner has not taken. */
function tapped(): { log: (inner: ShardLog) => ShardLog; taken: () => number } {
  let taken = 0;
  const log = (inner: ShardLog): ShardLog => ({
    ...inner,
    take: (topic, count) => {
      taken += count;
      inner.take(topic, count);
    },
  });
  return { log, taken: () => taken };
}

async function begun(reads: Reads, rest: Parameters<World["own"]>[0] = {}): Promise<[World, Owner]> {
  const world = new World({ options: MANY });
  const owner = world.own({ ...rest, store: reads.through });
  await world.settle(owner);
  return [world, owner];
}

test("records are taken while customers of those before are read", async () => {
  const reads = new Reads();
  const { log, taken } = tapped();
  const [world, owner] = await begun(reads, { log });
  await world.append(...orders(2500, 1));
  await world.until(() => reads.underWay === 1);
  await world.breathe();
  expect(taken()).toBe(2500);
  expect(reads.asked.map(({ length }) => length)).toEqual([1000]);
  expect(world.changes).toEqual([]);
  reads.open();
  await world.settle(owner);
  await world.stop();
  // What had to wait comes in one read.
  expect(reads.asked.map(({ length }) => length)).toEqual([1000, 1500]);
  expect(world.changes).toHaveLength(2500);
});

test("a store that is slow holds the taking up before too much is waiting for it, and no read is huge", async () => {
  const reads = new Reads();
  const { log, taken } = tapped();
  const [world, owner] = await begun(reads, { log });
  await world.append(...orders(8000, 1));
  await world.until(() => reads.underWay === 1);
  await world.breathe();
  expect(taken()).toBe(3000);
  reads.open();
  await world.settle(owner);
  await world.stop();
  for (const { length } of reads.asked) expect(length).toBeLessThanOrEqual(2000);
  expect(world.changes).toHaveLength(8000);
});

test("who is being read, or waits for it, is not asked for again; and one read is under way at a time", async () => {
  const reads = new Reads();
  const [world, owner] = await begun(reads);
  await world.append(...orders(1500, 1));
  await world.until(() => reads.underWay === 1);
  await world.append(...orders(1500, 2));
  await world.breathe();
  expect(reads.underWay).toBe(1);
  reads.open();
  await world.settle(owner);
  await world.stop();
  const asked = reads.asked.flat();
  expect(asked).toHaveLength(1500);
  expect(new Set(asked).size).toBe(1500);
  expect((await world.state("c7"))?.orders).toHaveLength(2);
});

test("a read that fails voids what was taken; all of it is folded again, once", async () => {
  const reads = new Reads();
  reads.isShut = false;
  let failures = 2;
  const { log, taken } = tapped();
  const world = new World({ options: MANY });
  const owner = world.own({
    log,
    store: (inner) => {
      const store = reads.through(inner);
      return {
        ...store,
        read: (shard, ids, held) =>
          ids.includes("c2400") && failures-- > 0
            ? Promise.reject(new RetriableError("INJECTED", "no answer"))
            : store.read(shard, ids, held),
      };
    },
  });
  await world.append(...orders(2500, 1));
  await world.settle(owner);
  await world.stop();
  expect(failures).toBeLessThan(0);
  expect(taken()).toBe(3 * 2500);
  expect(world.changes).toHaveLength(2500);
  followChains(world.changes);
});

test("when a commit fails meanwhile, the shard is acquired again only after the read has ended, badly or not", async () => {
  const reads = new Reads();
  reads.isShut = false;
  let fail: (() => void) | null = null;
  let acquired = 0;
  const log = (inner: ShardLog): ShardLog => ({
    ...inner,
    commit: async (output, committed) => {
      if (output.changes.length > 0 && fail === null) {
        await new Promise<void>((resolve) => (fail = resolve));
        throw new RetriableError("INJECTED", "no answer");
      }
      await inner.commit(output, committed);
    },
  });
  // Nor does the shard wait for the read because a sweep would.
  const world = new World({ options: { ...MANY, sweepIntervalMs: NEVER_MS } });
  world.own({ log, store: reads.through, telemetry: { acquired: () => acquired++ } });
  await world.breathe();
  await world.append(...orders(3, 1));
  await world.until(() => fail !== null);
  reads.isShut = true;
  await world.append(...orders(2, 1, 3));
  await world.until(() => reads.underWay === 1);
  fail!();
  await world.breathe();
  world.clock.advanceBy(1000);
  await world.breathe();
  expect(acquired).toBe(1);
  // The store that answers at last is not where the read wants it.
  await world.store.inner.acquire(0);
  reads.open();
  await world.until(() => world.changes.length === 5, 1);
  await world.stop();
  expect(acquired).toBe(2);
  expect(world.changes.map(({ customerId }) => customerId)).toEqual(["c0", "c1", "c2", "c3", "c4"]);
});

test("a store that loses its last writes while a read is under way: nothing is published that was built on it", async () => {
  const reads = new Reads();
  reads.isShut = false;
  const world = new World({ options: MANY });
  const owner = world.own({ store: reads.through, options: { cacheBytes: 0 } });
  await world.append(...orders(1200, 1));
  await world.settle(owner);
  await world.append(...orders(1200, 2));
  await world.settle(owner);
  reads.isShut = true;
  const asked = reads.asked.length;
  await world.append(...orders(1200, 30));
  await world.until(() => reads.underWay === 1);
  await world.breathe();
  // The first answer is of before, the second of after the loss.
  reads.release();
  await world.until(() => reads.asked.length === asked + 2);
  await world.store.forget(1);
  reads.open();
  await world.settle(owner);
  await world.stop();
  followChains(world.changes);
  expect((await world.state("c1"))?.orders).toHaveLength(3);
  expect((await world.state("c1100"))?.orders).toHaveLength(3);
});

test("stop while a read is under way: what was taken is committed when it has ended", async () => {
  const reads = new Reads();
  const [world, owner] = await begun(reads);
  await world.append(...orders(2500, 1));
  await world.until(() => reads.underWay === 1);
  let how: Error | null | undefined;
  void owner.ended.then((error) => (how = error));
  owner.shard.stop();
  await world.breathe();
  expect(how).toBeUndefined();
  expect(world.changes).toEqual([]);
  reads.open();
  await world.until(() => how !== undefined);
  expect(how).toBeNull();
  expect(world.changes).toHaveLength(2500);
  expect((await world.marks())!.offsets.orders).toBe(2500);
});

test("stop while a read is under way that fails: what was taken is the successor's", async () => {
  const world = new World({ options: MANY });
  let fail: (() => void) | null = null;
  const store = (inner: StateStore): StateStore => ({
    ...inner,
    read: async () => {
      await new Promise<void>((resolve) => (fail = resolve));
      throw new RetriableError("INJECTED", "no answer");
    },
  });
  const owner = world.own({ store });
  await world.append(...orders(2, 1));
  await world.until(() => fail !== null);
  owner.shard.stop();
  fail!();
  await world.until(() => owner.shard.state === "stopped");
  expect(await owner.ended).toBeNull();
  expect(world.changes).toEqual([]);
  world.owners.delete(owner);
  await world.settle(world.own());
  await world.stop();
  expect(world.changes).toHaveLength(2);
});

test("a batch fills while its customers are read, and is closed as soon as they are there", async () => {
  const reads = new Reads();
  const world = new World({ options: { ...MANY, sweepIntervalMs: NEVER_MS } });
  world.own({ store: reads.through });
  await world.breathe();
  const before = world.transactions.length;
  await world.append(...orders(3, 1));
  await world.until(() => reads.underWay === 1);
  await world.append(...orders(2, 1, 3));
  await world.breathe();
  reads.open();
  await world.until(() => world.changes.length > 0);
  await world.stop();
  expect(world.transactions.slice(before).map(({ offsets }) => offsets.orders)).toEqual([5]);
});

test("a sweep begins when all that was taken before it has been read", async () => {
  const reads = new Reads();
  reads.isShut = false;
  let sweeps = 0;
  const world = new World({ options: MANY });
  const owner = world.own({
    options: { cacheBytes: 0 },
    store: (inner) => ({
      ...reads.through(inner),
      due: (...asked) => {
        sweeps++;
        return inner.due(...asked);
      },
    }),
  });
  await world.append(...orders(3, 0));
  await world.settle(owner);
  const before = sweeps;
  reads.isShut = true;
  // Two would lapse, the third comes back before.
  await world.append(...orders(1, 179, 2));
  await world.until(() => reads.underWay === 1);
  world.clock.advanceTo(day(181));
  await world.breathe();
  expect(sweeps).toBe(before);
  reads.open();
  await world.settle(owner);
  await world.stop();
  expect(sweeps).toBeGreaterThan(before);
  const lapsed = world.changes.filter(({ change }) => change?.cause.kind === "DEADLINE");
  expect(lapsed.map(({ customerId }) => customerId)).toEqual(["c0", "c1"]);
  followChains(world.changes);
});

test("customers of the open batch stay in memory when the one before is committed, however small the memory", async () => {
  const reads = new Reads();
  reads.isShut = false;
  let commit: (() => void) | null = null;
  const log = (inner: ShardLog): ShardLog => ({
    ...inner,
    commit: async (output, committed) => {
      if (output.changes.length > 0 && commit === null)
        await new Promise<void>((resolve) => (commit = resolve));
      await inner.commit(output, committed);
    },
  });
  // A sweep would fold, which holds them too.
  const world = new World({ options: { ...MANY, cacheBytes: 0, sweepIntervalMs: NEVER_MS } });
  world.own({ log, store: reads.through });
  await world.breathe();
  await world.append(...orders(3, 1));
  await world.until(() => commit !== null);
  const before = reads.asked.length;
  await world.append(...orders(1500, 2, 2));
  await world.until(() => reads.asked.length > before);
  await world.breathe();
  expect(reads.underWay).toBe(0);
  commit!();
  await world.until(() => world.transactions.at(-1)?.offsets.orders === 1503, 1);
  await world.stop();
  expect(reads.asked.slice(before).flat()).toHaveLength(1499);
  followChains(world.changes);
  expect((await world.state("c2"))?.orders).toHaveLength(2);
});

test("customers of a sweep leave with their batch, unless a fact has come for them", async () => {
  const world = new World({ options: { ...MANY, sweepIntervalMs: 1 } });
  const reads = new Reads();
  reads.open();
  const first = world.own();
  await world.append(...orders(3, 0));
  await world.settle(first);
  await world.stop();
  const owner = world.own({ store: reads.through });
  // Everybody lapses, and c0 orders meanwhile.
  world.clock.advanceTo(day(400));
  await world.append(order("c0", 400));
  await world.settle(owner);
  expect(reads.asked.flat().toSorted()).toEqual(["c0", "c1", "c2"]);
  await world.append(order("c0", 401), order("c1", 401));
  world.clock.advanceTo(day(402));
  await world.settle(owner);
  expect(reads.asked.flat().toSorted()).toEqual(["c0", "c1", "c1", "c2"]);
  await world.stop();
});
