import { describe, expect, test } from "vitest";
import { RetriableError } from "../../src/pipeline/errors.ts";
import type { ShardLog, StateStore } from "../../src/pipeline/ports.ts";
import { DAY_MS } from "../../src/shared/instant.ts";
import { day, erased, order } from "./facts.ts";
import { followChains, World, type Transaction } from "./world.ts";

/** Transactions but for the first, which only says that the shard has begun (A4). */
function later({ transactions }: World): Transaction[] {
  return transactions.filter(({ receipt }) => receipt.seq > 0);
}

/** Small orders of one day: after the first they change nothing. */
function small(days: number): ReturnType<typeof order> {
  return order("a", days, { amountMinor: 100 });
}

describe("decode → dead letters (A4)", () => {
  test("a refused record is committed with its offset, in one transaction with what the others came to", async () => {
    const world = new World();
    await world.append(order("a", 1));
    await world.appendRecords([
      {
        topic: "orders",
        value: Buffer.from("?"),
        decoded: { kind: "dead_letter", reason: "undecodable", detail: "no magic byte" },
      },
    ]);
    await world.append(order("b", 2));
    await world.settle(world.own());
    await world.stop();
    expect(later(world)).toHaveLength(1);
    const [{ output, offsets }] = later(world) as [Transaction];
    expect(offsets.orders).toBe(3);
    expect(output.deadLetters.map(({ reason, message, record }) => [reason, message, record.offset])).toEqual(
      [["undecodable", "no magic byte", 1]],
    );
    expect(output.changes.map(({ customerId }) => customerId)).toEqual(["a", "b"]);
  });

  test("when it can't be written the batch fails, and nothing is lost or doubled", async () => {
    const world = new World();
    let refusals = 3;
    const log = (inner: ShardLog): ShardLog => ({
      ...inner,
      commit: (output, committed) =>
        output.deadLetters.length > 0 && refusals-- > 0
          ? Promise.reject(new RetriableError("TOO_LARGE", "the dead letter does not fit"))
          : inner.commit(output, committed),
    });
    const bad = { kind: "dead_letter", reason: "undecodable", detail: "no magic byte" } as const;
    await world.append(order("a", 1));
    await world.appendRecords([{ topic: "orders", value: null, decoded: bad }]);
    await world.append(order("b", 2));
    const owner = world.own({ log, options: { batchRecords: 2 } });
    await world.settle(owner);
    await world.stop();
    expect(refusals).toBeLessThan(0);
    const all = later(world).flatMap(({ output }) => output.deadLetters);
    expect(all.map(({ record }) => record.offset)).toEqual([1]);
    expect(world.changes.map(({ customerId }) => customerId)).toEqual(["a", "b"]);
  });
});

describe("a batch is closed (A3, A4)", () => {
  test("when it has batchRecords records", async () => {
    const world = new World({ options: { batchRecords: 4, commitIntervalMs: 1_000_000 } });
    await world.append(...Array.from({ length: 12 }, (_, i) => order(`c${i}`, 1)));
    world.own();
    await world.until(() => later(world).length === 3);
    expect(later(world).map(({ offsets }) => offsets.orders)).toEqual([4, 8, 12]);
    await world.stop();
  });

  test("after commitIntervalMs, not before", async () => {
    const world = new World({ options: { commitIntervalMs: 100 } });
    const owner = world.own();
    await world.append(order("a", 1));
    await world.settle(owner);
    await world.append(order("b", 1));
    await world.breathe();
    const before = later(world).length;
    world.clock.advanceBy(50);
    await world.append(order("c", 1));
    await world.breathe();
    expect(later(world)).toHaveLength(before);
    world.clock.advanceBy(50);
    await world.until(() => later(world).length > before);
    expect(
      later(world)
        .at(-1)!
        .output.changes.map(({ customerId }) => customerId),
    ).toEqual(["b", "c"]);
    await world.stop();
  });

  test("it goes on filling while the one before is being committed, up to its bounds", async () => {
    const world = new World({ options: { batchRecords: 5 } });
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const log = (inner: ShardLog): ShardLog => ({
      ...inner,
      commit: async (output, committed) => {
        if (output.changes.length > 0) await gate;
        await inner.commit(output, committed);
      },
    });
    await world.append(order("first", 1));
    world.own({ log });
    await world.breathe();
    await world.append(...Array.from({ length: 40 }, (_, i) => order(`c${i}`, 1)));
    await world.breathe();
    // One batch in flight, one that is full: what follows stays in the log's buffer.
    open();
    await world.until(() => later(world).at(-1)?.offsets.orders === 41);
    for (const { output } of later(world)) expect(output.changes.length).toBeLessThanOrEqual(5);
    await world.stop();
  });
});

describe("transactions (A4 step 2)", () => {
  test("none without output; offsets and receipt follow after refreshMs", async () => {
    const world = new World({ options: { refreshMs: 5000 } });
    const owner = world.own();
    await world.append(small(1));
    await world.settle(owner);
    const count = later(world).length;
    await world.append(small(1.1), small(1.2));
    await world.settle(owner);
    expect(later(world)).toHaveLength(count);
    expect(later(world).at(-1)!.offsets.orders).toBe(1);
    world.clock.advanceBy(5000);
    await world.until(() => later(world).length > count);
    const refresh = later(world).at(-1)!;
    expect(refresh.output).toEqual({ changes: [], segments: [], referrals: [], deadLetters: [] });
    expect(refresh.offsets.orders).toBe(3);
    // Once told, nothing is repeated.
    for (let i = 0; i < 10; i++) {
      world.clock.advanceBy(5000);
      await world.breathe(5);
    }
    expect(later(world)).toHaveLength(count + 1);
    await world.stop();
  });

  test("seq only grows, whatever the store forgot", async () => {
    const world = new World({ options: { onStateLoss: "rebuild", batchRecords: 1 } });
    const seqs = (): number[] => world.changes.map(({ change }) => change!.seq);
    for (const [i, forget] of [0, 2, 100, 3, 100].entries()) {
      await world.append(order("a", 10 * i), order("b", 10 * i), order(`new${i}`, 10 * i));
      await world.settle(world.own());
      await world.stop();
      await world.store.forget(forget);
    }
    expect(seqs().length).toBeGreaterThan(5);
    expect(seqs()).toEqual([...new Set(seqs())].sort((a, b) => a - b));
    followChains(world.changes);
  });

  test("what the store does not apply, another owner's or the past's, voids all that was built on it", async () => {
    const world = new World();
    const owner = world.own();
    await world.append(order("a", 1));
    await world.settle(owner);
    await world.store.inner.acquire(0);
    await world.append(order("a", 30));
    await world.settle(owner);
    followChains(world.changes);
    expect((await world.state("a"))?.orders).toHaveLength(2);
    await world.stop();
  });
});

test("an emptied customer who comes back before the commit is a new one, not the one that the store still has (A4)", async () => {
  const world = new World({ options: { sweepCustomers: 10 } });
  let open: (() => void) | null = null;
  let isArmed = false;
  const store = (inner: StateStore): StateStore => ({
    ...inner,
    commit: async (shard, commit) => {
      if (isArmed && commit.writes.some(({ head }) => head === null)) {
        isArmed = false;
        await new Promise<void>((resolve) => (open = resolve));
      }
      return inner.commit(shard, commit);
    },
  });
  const owner = world.own({ store });
  await world.append(order("a", 1), erased("a", 2));
  await world.settle(owner);
  isArmed = true;
  // The marker is forgotten after 30 days: nothing of the customer is left (S2.5).
  world.clock.advanceBy(40 * DAY_MS);
  await world.until(() => open !== null, 1);
  // What is heard late of the time before the erasure counts from then on.
  await world.append(order("a", 1.5));
  await world.breathe();
  open!();
  await world.settle(owner);
  await world.stop();
  expect((await world.state("a"))?.orders).toHaveLength(1);
  expect(world.changes.at(-1)?.change?.current.stage).toBe("TESTER");
});

test("what a sweep publishes does not make the records of the next batch look as if they would publish as much", async () => {
  const world = new World({ options: { batchRecords: 16_000, commitIntervalMs: 20 } });
  let commits = 0;
  const store = (inner: StateStore): StateStore => ({
    ...inner,
    commit: (shard, commit) => {
      commits++;
      return inner.commit(shard, commit);
    },
  });
  const owner = world.own({ store });
  await world.append(...Array.from({ length: 60 }, (_, i) => order(`c${i}`, 1)));
  await world.settle(owner);
  // One record in the batch in which all of them lapse.
  await world.append(order("a", 400));
  world.clock.advanceTo(day(401));
  await world.settle(owner);
  const swept = world.changes.filter(({ change }) => change?.cause.kind === "DEADLINE");
  expect(new Set(swept.map(({ customerId }) => customerId)).size).toBe(60);
  const before = commits;
  // One small order, told three thousand times.
  await world.append(...new Array<ReturnType<typeof small>>(3000).fill(small(401)));
  await world.settle(owner);
  await world.stop();
  expect((await world.state("a"))?.orders).toHaveLength(2);
  expect(commits - before).toBe(1);
});

describe("how often a shard commits", () => {
  /** Transactions in two seconds of steady traffic, where each takes so long. */
  async function inTwoSeconds(commitMs: number): Promise<number> {
    const world = new World({ options: { commitIntervalMs: 100, sweepIntervalMs: 10_000 } });
    const log = (inner: ShardLog): ShardLog => ({
      ...inner,
      commit: async (output, committed) => {
        await world.clock.sleep(commitMs);
        return inner.commit(output, committed);
      },
    });
    world.own({ log });
    await world.until(() => world.transactions.length > 0, 1);
    const before = world.transactions.length;
    for (let i = 0; i < 200; i++) {
      await world.append(order(`c${i}`, 0));
      world.clock.advanceBy(10);
      await world.breathe(8);
    }
    const count = world.transactions.length - before;
    await world.until(() => world.changes.length === 200, 1);
    const stopped = world.stop();
    for (let i = 0; i < 50; i++) {
      world.clock.advanceBy(10);
      await world.breathe(2);
    }
    await stopped;
    return count;
  }

  test("every interval, while commits are quick", async () => {
    expect(await inTwoSeconds(10)).toBeGreaterThanOrEqual(17);
  });

  test("for a third of the time where they take longer", async () => {
    const count = await inTwoSeconds(50);
    expect(count).toBeGreaterThanOrEqual(12);
    expect(count).toBeLessThanOrEqual(14);
  });

  test("half as often where they take long, and not less often than that", async () => {
    for (const commitMs of [80, 150]) {
      const count = await inTwoSeconds(commitMs);
      expect(count).toBeGreaterThanOrEqual(8);
      expect(count).toBeLessThanOrEqual(11);
    }
  });
});
