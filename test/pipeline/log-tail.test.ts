import { describe, expect, test } from "vitest";
import { RefusedError } from "../../src/pipeline/errors.ts";
import type { ShardLog } from "../../src/pipeline/ports.ts";
import { order } from "./facts.ts";
import { World, type Owner } from "./world.ts";

const REFRESH_MS = 5_000;

/** What a transactional producer and retention do to the end of `orders`. */
class Tail {
  /** Commit markers and aborted records behind the last record. */
  length = 0;
  /** The marker is there, but the fetch that passes it has not come back. */
  isUnread = false;
  /** Retention has deleted all there was. */
  isDeleted = false;

  /** A log whose `orders` end in this. No orders are appended after it. */
  behind(log: ShardLog): ShardLog {
    const end = async (): Promise<number> => (await log.ends()).orders ?? 0;
    return {
      ...log,
      seek: async (offsets) => {
        const last = await end();
        const from = offsets.orders ?? 0;
        if (this.isDeleted && from < last + this.length) {
          throw new RefusedError("OFFSET_OUT_OF_RANGE", `orders begin at ${last + this.length}, not ${from}`);
        }
        await log.seek({ ...offsets, orders: Math.min(from, last) });
      },
      position: (topic) => {
        const position = log.position(topic);
        const isAtEnd = topic === "orders" && log.buffered(topic).length === 0 && !this.isUnread;
        return isAtEnd ? position + this.length : position;
      },
    };
  }
}

/** An owner of a log with this tail. */
function own(world: World, tail: Tail): Owner {
  return world.own({ log: (log) => tail.behind(log) });
}

async function stopped(world: World, owner: Owner): Promise<Error | null> {
  owner.shard.stop();
  let how: Error | null | undefined;
  void owner.ended.then((error) => (how = error));
  await world.until(() => how !== undefined);
  world.owners.delete(owner);
  return how ?? null;
}

describe("a topic that ends in commit markers, which nobody folds (A4)", () => {
  test("a commit stands behind them, in the log and in the store, so that a start finds all that retention left", async () => {
    const world = new World({ options: { refreshMs: REFRESH_MS } });
    const tail = new Tail();
    tail.length = 1;
    await world.append(order("a", 1), order("b", 2));
    const owner = own(world, tail);
    await world.settle(owner);
    expect(world.transactions.at(-1)!.offsets.orders).toBe(3);
    expect((await world.marks())!.offsets.orders).toBe(3);
    expect(await stopped(world, owner)).toBeNull();
    tail.isDeleted = true;
    const next = own(world, tail);
    await world.settle(next);
    expect(next.shard.state).toBe("running");
    expect(await stopped(world, next)).toBeNull();
  });

  test("one that comes alone is committed within refreshMs, by one transaction", async () => {
    const world = new World({ options: { refreshMs: REFRESH_MS } });
    const tail = new Tail();
    await world.append(order("a", 1));
    const owner = own(world, tail);
    await world.settle(owner);
    const before = world.transactions.length;
    tail.length = 2;
    await world.until(() => world.transactions.length > before, 100);
    expect(world.transactions.at(-1)).toMatchObject({
      offsets: { orders: 3 },
      output: { changes: [], segments: [], referrals: [], deadLetters: [] },
    });
    world.clock.advanceBy(10 * REFRESH_MS);
    await world.settle(owner);
    expect(world.transactions).toHaveLength(before + 1);
    await stopped(world, owner);
  });

  test("one that has only just come is committed by the stop", async () => {
    const world = new World({ options: { refreshMs: REFRESH_MS } });
    const tail = new Tail();
    await world.append(order("a", 1));
    const owner = own(world, tail);
    await world.settle(owner);
    tail.length = 1;
    expect(await stopped(world, owner)).toBeNull();
    expect(world.transactions.at(-1)!.offsets.orders).toBe(2);
    expect((await world.marks())!.offsets.orders).toBe(2);
  });

  test("no offset passes a record that is buffered and not yet folded", async () => {
    const world = new World({ options: { batchRecords: 1, refreshMs: 0 } });
    await world.append(order("a", 1), order("b", 2), order("c", 3));
    const tail = new Tail();
    tail.length = 1;
    await world.settle(own(world, tail));
    const told = world.transactions.map(({ offsets }) => offsets.orders);
    expect(told.slice(0, 3)).toEqual([0, 1, 2]);
    expect(told.at(-1)).toBe(4);
    await world.stop();
  });

  test("a re-fold in silence goes up to what was committed, and marks on its way do not pass it", async () => {
    const world = new World({ options: { batchRecords: 1, refreshMs: REFRESH_MS } });
    const tail = new Tail();
    tail.length = 1;
    tail.isUnread = true;
    await world.append(order("a", 1), order("b", 2), order("c", 3));
    const owner = own(world, tail);
    await world.settle(owner);
    await stopped(world, owner);
    const published = world.changes.length;
    expect(world.transactions.at(-1)!.offsets.orders).toBe(3);

    tail.isUnread = false;
    await world.store.forget(2);
    const seen: (number | undefined)[] = [];
    const next = world.own({
      log: (log) => tail.behind(log),
      store: (store) => ({
        ...store,
        commit: (shard, commit) => {
          if (commit.marks.published < world.transactions.at(-1)!.receipt.seq)
            seen.push(commit.marks.offsets.orders);
          return store.commit(shard, commit);
        },
      }),
    });
    await world.settle(next);
    expect(seen.length).toBeGreaterThan(0);
    expect(Math.max(...seen.map((offset) => offset ?? 0))).toBeLessThanOrEqual(3);
    expect(world.changes).toHaveLength(published);
    await stopped(world, next);
  });
});
