import { describe, expect, test } from "vitest";
import type { ShardLog } from "../../src/pipeline/ports.ts";
import { testPolicy } from "../policy.ts";
import { day, order } from "./facts.ts";
import { followChains, World, type Owner } from "./world.ts";

/** Resolves when the owner has ended, letting no time pass. */
async function ended(world: World, owner: Owner): Promise<Error | null> {
  let how: Error | null | undefined;
  void owner.ended.then((error) => (how = error));
  owner.shard.stop();
  await world.until(() => how !== undefined);
  return how ?? null;
}

/** The orders of a log that has gone quiet: what it had is not delivered, and it never says that there is no more. */
function mute(log: ShardLog): ShardLog {
  return { ...log, buffered: () => [], position: () => 0, caughtUp: () => false };
}

/** Stops the owner within the first commit after which something is so. */
function stopping(owner: () => Owner, isSo: () => boolean): (log: ShardLog) => ShardLog {
  return (log) => ({
    ...log,
    commit: async (output, committed) => {
      await log.commit(output, committed);
      if (isSo()) owner().shard.stop();
    },
  });
}

describe("stop", () => {
  test("what has been folded is committed, though its batch's turn has not come", async () => {
    const world = new World({ options: { commitIntervalMs: 1_000_000 } });
    await world.append(order("a", 1));
    const owner = world.own();
    await world.until(() => world.changes.length === 1);
    await world.append(order("b", 1), order("c", 1));
    await world.breathe();
    expect(world.changes).toHaveLength(1);
    expect(await ended(world, owner)).toBeNull();
    expect(world.changes.map(({ customerId }) => customerId)).toEqual(["a", "b", "c"]);
    expect((await world.marks())!.offsets.orders).toBe(3);
  });

  test("and nothing that came after it is begun", async () => {
    const world = new World();
    const owner = world.own();
    await world.settle(owner);
    owner.shard.stop();
    await world.append(order("a", 1));
    expect(await ended(world, owner)).toBeNull();
    expect(world.changes).toEqual([]);
  });

  test("nobody waits for it to settle any more, whoever asks and when", async () => {
    const world = new World();
    const owner = world.own();
    let settled = 0;
    const before = owner.shard.settled().then(() => settled++);
    expect(await ended(world, owner)).toBeNull();
    const after = owner.shard.settled().then(() => settled++);
    await world.breathe();
    expect(settled).toBe(2);
    await Promise.all([before, after]);
  });

  test("while it waits in back-off", async () => {
    const world = new World({ options: { backoffMs: [1_000_000, 1_000_000] } });
    const owner = world.own({ adversary: (call) => (call === "acquire" ? "fail" : null) });
    await world.until(() => owner.shard.state === "waiting");
    expect(await ended(world, owner)).toBeNull();
  });

  test("while it acquires", async () => {
    const world = new World();
    const owner = world.own({ adversary: (call) => (call === "fence" ? "stall" : null) });
    await world.until(() => world.held.count === 1);
    owner.shard.stop();
    world.held.releaseAll();
    expect(await ended(world, owner)).toBeNull();
  });

  test("during a silent re-fold whose log delivers nothing more: a successor is not held up, and goes on", async () => {
    const world = new World({ options: { batchRecords: 1 } });
    await world.append(order("a", 1), order("b", 2), order("c", 3));
    await world.settle(world.own());
    await world.stop();
    await world.store.forget(2);
    const owner = world.own({ log: mute });
    await world.breathe();
    expect(await ended(world, owner)).toBeNull();
    world.owners.delete(owner);
    await world.settle(world.own());
    await world.stop();
    expect(world.changes.map(({ customerId }) => customerId)).toEqual(["a", "b", "c"]);
  });

  test("during a sweep: what was swept is committed, the rest is the successor's", async () => {
    const world = new World({ options: { sweepCustomers: 2, batchRecords: 4 } });
    await world.append(...Array.from({ length: 30 }, (_, i) => order(`c${i}`, 0)));
    const first: Owner = world.own({
      log: stopping(
        () => first,
        () => world.changes.length > 32,
      ),
    });
    await world.settle(first);
    world.clock.advanceTo(day(180));
    expect(await first.ended).toBeNull();
    world.owners.delete(first);
    expect(world.changes.length).toBeLessThan(60);
    await world.settle(world.own());
    await world.stop();
    expect(world.changes).toHaveLength(60);
    followChains(world.changes);
  });

  test("during a change of policy: soon, and the successor goes on where it was", async () => {
    const world = new World();
    for (let i = 0; i < 2600; i += 100) {
      await world.append(...Array.from({ length: 100 }, (_, j) => order(`c${i + j}`, 1)));
    }
    await world.settle(world.own());
    await world.stop();
    const policy = testPolicy({
      version: "next",
      profiles: [{ name: "B2C", value: { aMinor: 9000, bMinor: 100 } }],
    });
    const before = world.changes.length;
    const first: Owner = world.own({
      policy,
      log: stopping(
        () => first,
        () => world.changes.length > before,
      ),
    });
    expect(await first.ended).toBeNull();
    world.owners.delete(first);
    expect(world.changes.length).toBeLessThan(5200);
    await world.settle(world.own({ policy }));
    await world.stop();
    expect(world.changes).toHaveLength(5200);
    followChains(world.changes);
  });
});
