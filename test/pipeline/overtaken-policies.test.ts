import { describe, expect, test } from "vitest";
import type { Policy } from "../../src/domain/policy.ts";
import type { Migration, Receipt, StateStore } from "../../src/pipeline/ports.ts";
import { MOST_MIGRATIONS } from "../../src/pipeline/repolicy.ts";
import { testPolicy } from "../policy.ts";
import { day, order } from "./facts.ts";
import { followChains, POLICY, World, type Owner, type OwnerSetup } from "./world.ts";

/** A customer with one order is C under the first, A under the second and B under the third. */
const SECOND = testPolicy({
  version: "second",
  profiles: [{ name: "B2C", value: { aMinor: 9000, bMinor: 100 } }],
});
const THIRD = testPolicy({
  version: "third",
  profiles: [{ name: "B2C", value: { aMinor: 20_000, bMinor: 100 } }],
});
const ALL = [POLICY, SECOND, THIRD];
const VALUE = new Map([
  [POLICY.hash, "C"],
  [SECOND.hash, "A"],
  [THIRD.hash, "B"],
]);
const CUSTOMERS = ["a", "b", "c", "d", "e", "f"];

/** Pages of one customer: each is a batch of a change of policy. */
function oneByOne(store: StateStore): StateStore {
  return { ...store, customers: (shard, after, _limit, held) => store.customers(shard, after, 1, held) };
}

function start(world: World, policy: Policy, setup: OwnerSetup = {}): Owner {
  return world.own({ policy, store: oneByOne, ...setup });
}

/** All customers have one order, and have been published under the first policy. */
async function lived(): Promise<World> {
  const world = new World({ startAt: day(10) });
  await world.append(...CUSTOMERS.map((customerId) => order(customerId, 9)));
  await world.settle(start(world, POLICY));
  await world.stop();
  return world;
}

/** A process that begins to change the policy, and dies of the transaction that takes it to a customer: its script is not sent. */
async function dieAt(world: World, policy: Policy, customerId: string): Promise<void> {
  const owner: Owner = start(world, policy, {
    log: (log) => ({
      ...log,
      commit: async (output, committed) => {
        await log.commit(output, committed);
        const { migrating } = committed.receipt;
        if (migrating?.to === policy.hash && migrating.afterCustomerId === customerId) owner.life.kill();
      },
    }),
  });
  await world.until(() => owner.life.isDead);
}

/**
 * First under `SECOND` up to d, then under `THIRD` up to b. One more is too many for a receipt: before it begins, `THIRD` passes d.
 */
async function overtaken(world?: World): Promise<World> {
  world ??= await lived();
  await dieAt(world, SECOND, "d");
  await dieAt(world, THIRD, "b");
  return world;
}

function lastReceipt(world: World): Receipt {
  return world.transactions.at(-1)!.receipt;
}

/** Who stands under which policy by what was published last. */
function inForce(world: World): Record<string, string> {
  return Object.fromEntries([...followChains(world.changes)].map(([id, { value }]) => [id, value]));
}

function depth(migrating: Migration | null | undefined): number {
  return migrating ? 1 + depth(migrating.over) : 0;
}

describe("a change of policy that overtakes one that was interrupted (S7.3)", () => {
  test("the receipt tells how far each has come", async () => {
    const world = await overtaken();
    expect(inForce(world)).toEqual({ a: "B", b: "B", c: "A", d: "A", e: "C", f: "C" });
    expect(lastReceipt(world)).toMatchObject({
      policy: POLICY.hash,
      migrating: {
        to: THIRD.hash,
        afterCustomerId: "b",
        over: { to: SECOND.hash, afterCustomerId: "d", over: null },
      },
    });
  });

  test("having passed it, it is forgotten; at the end nothing is under way", async () => {
    const world = await overtaken();
    await dieAt(world, THIRD, "d");
    expect(lastReceipt(world).migrating).toEqual({ to: THIRD.hash, afterCustomerId: "d", over: null });
    await world.settle(start(world, THIRD));
    await world.stop();
    expect(lastReceipt(world)).toMatchObject({ policy: THIRD.hash, migrating: null });
  });

  const LOSSES = [0, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16, Infinity];
  test.each(LOSSES.flatMap((lost) => ALL.map((next) => [next.version, lost, next] as const)))(
    "then a process with policy %s, after the store has lost its last %d writes: each customer comes from where it was published",
    async (_, lost, next) => {
      const world = await overtaken();
      await world.store.forget(lost);
      const before = world.changes.length;
      const stood = inForce(world);
      const wholePages = { policy: next, former: ALL, options: { onStateLoss: "rebuild" } } as const;
      await world.settle(world.own(wholePages));
      await world.stop();
      const expected = VALUE.get(next.hash);
      expect(inForce(world)).toEqual(Object.fromEntries(CUSTOMERS.map((id) => [id, expected])));
      const passed = next === THIRD ? [] : ["c", "d"];
      const moved = CUSTOMERS.filter((id) => (passed.includes(id) ? "B" : stood[id]) !== expected);
      const told = world.changes.slice(before).map(({ customerId }) => customerId);
      expect(told).toEqual([...passed, ...moved]);
      for (const id of CUSTOMERS)
        expect((await world.state(id))?.published?.classification.value).toBe(expected);
      expect(await world.marks()).toMatchObject({ policy: next.hash, migrating: null });
    },
  );

  test("back to the policy of before, only those are folded whom another had reached", async () => {
    const world = await overtaken();
    const writes: string[][] = [];
    const watched = (store: StateStore): StateStore => ({
      ...oneByOne(store),
      commit: (shard, commit) => {
        if (commit.marks.published === commit.marks.seq)
          writes.push(commit.writes.map(({ customerId }) => customerId));
        return store.commit(shard, commit);
      },
    });
    await world.settle(start(world, POLICY, { store: watched }));
    await world.stop();
    expect(writes).toEqual([["c"], ["d"], ["a"], ["b"], ["c"], ["d"]]);
  });

  test("a state that lacks facts of before the changes of policy gets them under the policy of that time", async () => {
    const world = await lived();
    await dieAt(world, SECOND, "b");
    const writes = world.store.writes;
    // All come back to the first policy and live on, then the second is tried again and comes further.
    const owner = start(world, POLICY);
    await world.settle(owner);
    await world.append(order("a", 10), order("f", 10));
    await world.settle(owner);
    await world.stop();
    await dieAt(world, SECOND, "d");
    const published = world.changes.length;
    await world.store.forget(world.store.writes - writes);
    const next = start(world, SECOND);
    await world.settle(next);
    await world.stop();
    followChains(world.changes);
    expect(world.changes.slice(published).map(({ customerId }) => customerId)).toEqual(["e", "f"]);
    for (const id of ["a", "b", "d"])
      expect((await world.state(id))?.published?.classification.value).toBe("A");
  });

  test("a state that went further than what was published is taken back", async () => {
    const world = await lived();
    await dieAt(world, SECOND, "e");
    const writes = world.store.writes;
    await world.settle(start(world, POLICY));
    await world.stop();
    await dieAt(world, THIRD, "b");
    await dieAt(world, SECOND, "a");
    const stood = inForce(world);
    await world.store.forget(world.store.writes - writes);
    await world.settle(start(world, POLICY, { former: ALL }));
    await world.stop();
    expect(stood).toEqual({ a: "A", b: "B", c: "C", d: "C", e: "C", f: "C" });
    expect(world.changes.slice(-2).map(({ customerId }) => customerId)).toEqual(["a", "b"]);
    expect(new Set(Object.values(inForce(world)))).toEqual(new Set(["C"]));
  });

  test.each([
    [
      "in force",
      async (world: World) => {
        await world.settle(start(world, SECOND));
        await world.stop();
      },
      16,
    ],
    // The first policy comes back to c and d, too, before the second begins again.
    ["interrupted", (world: World) => dieAt(world, SECOND, "d"), 20],
  ] as const)(
    "%s, then being taken back, of which the store forgets both: again, it brings no id of the first time",
    async (_, begin, changes) => {
      const world = await lived();
      const { writes } = world.store;
      await begin(world);
      await dieAt(world, POLICY, "b");
      await world.store.forget(world.store.writes - writes);
      await world.settle(start(world, SECOND, { former: ALL }));
      await world.stop();
      expect(new Set(Object.values(inForce(world)))).toEqual(new Set(["A"]));
      const ids = world.changes.map(({ change }) => change?.changeId);
      expect(ids).toHaveLength(changes);
      expect(new Set(ids).size).toBe(ids.length);
    },
  );

  test("one more than a receipt may tell of waits until the last has passed the one before it", async () => {
    const world = await lived();
    await dieAt(world, SECOND, "e");
    await dieAt(world, THIRD, "d");
    expect(depth(lastReceipt(world).migrating)).toBe(MOST_MIGRATIONS);
    await dieAt(world, POLICY, "a");
    expect(inForce(world)).toEqual({ a: "C", b: "B", c: "B", d: "B", e: "B", f: "C" });
    await world.settle(start(world, SECOND));
    await world.stop();
    expect(new Set(Object.values(inForce(world)))).toEqual(new Set(["A"]));
    const depths = world.transactions.map(({ receipt }) => depth(receipt.migrating));
    expect(Math.max(...depths)).toBe(MOST_MIGRATIONS);
  });
});

describe("texts of policies (S7.3)", () => {
  test("those of all changes under way are at hand for whoever comes next", async () => {
    const world = await overtaken();
    await world.settle(start(world, testPolicy({ version: "fourth", horizonDays: 2000 })));
    await world.stop();
    followChains(world.changes);
  });

  test("they outlast a rebuild that is interrupted", async () => {
    const world = await lived();
    await dieAt(world, SECOND, "d");
    const damaged = (store: StateStore): StateStore => ({
      ...oneByOne(store),
      acquire: async (shard) => ({ ...(await store.acquire(shard)), damage: "a key is gone" }),
    });
    const rebuild = { onStateLoss: "rebuild" } as const;
    let scripts = 0;
    const first = start(world, SECOND, {
      store: damaged,
      options: rebuild,
      adversary: (call) => (call === "script" && ++scripts === 2 ? "stall" : null),
    });
    await world.until(() => world.held.count > 0);
    first.life.kill();
    await world.settle(start(world, THIRD, { options: rebuild }));
    await world.stop();
    expect(new Set(Object.values(inForce(world)))).toEqual(new Set(["B"]));
  });

  test.each([
    ["all", () => 0, THIRD, [POLICY, SECOND]],
    ["all that came after the first policy", ({ store }: World) => store.writes, POLICY, [SECOND, THIRD]],
  ] as const)(
    "the store has lost %s: refused, with the name of each, and all is well once they are given",
    async (_, kept, policy, former) => {
      const world = await lived();
      const writes = kept(world);
      await overtaken(world);
      await world.store.forget(world.store.writes - writes);
      const setup = { options: { onStateLoss: "rebuild" } } as const;
      const owner = start(world, policy, setup);
      world.owners.delete(owner);
      const refusal = await owner.ended;
      expect(refusal).toMatchObject({ code: "POLICY_UNKNOWN" });
      for (const { hash } of former) expect(refusal?.message).toContain(hash.slice(0, 12));
      expect(refusal?.message).not.toContain(policy.hash.slice(0, 12));
      await world.settle(start(world, policy, { ...setup, former }));
      await world.stop();
      expect(new Set(Object.values(inForce(world)))).toEqual(new Set([VALUE.get(policy.hash)]));
    },
  );
});

describe("receipts and marks of before it was kept what is overtaken", () => {
  function plain<T extends Pick<Receipt, "migrating">>(told: T): T {
    const { migrating } = told;
    if (migrating === null) return told;
    return { ...told, migrating: { to: migrating.to, afterCustomerId: migrating.afterCustomerId } };
  }

  /** A process of that time, that dies like `dieAt`'s but after its script. */
  async function formerlyAt(world: World, policy: Policy, customerId: string): Promise<void> {
    const owner: Owner = start(world, policy, {
      log: (log) => ({
        ...log,
        commit: (output, { offsets, receipt }) => log.commit(output, { offsets, receipt: plain(receipt) }),
      }),
      store: (store) => ({
        ...oneByOne(store),
        commit: async (shard, commit) => {
          const result = await store.commit(shard, { ...commit, marks: plain(commit.marks) });
          if (
            commit.marks.migrating?.to === policy.hash &&
            commit.marks.migrating.afterCustomerId === customerId
          )
            owner.life.kill();
          return result;
        },
      }),
    });
    await world.until(() => owner.life.isDead);
  }

  test.each([0, 2, 100])(
    "one change that was interrupted goes on, also when the store loses its last %i writes",
    async (lost) => {
      const world = await lived();
      await formerlyAt(world, SECOND, "d");
      expect(lastReceipt(world).migrating).toEqual({ to: SECOND.hash, afterCustomerId: "d" });
      await world.store.forget(lost);
      const before = world.changes.length;
      await world.settle(start(world, SECOND, { former: ALL, options: { onStateLoss: "rebuild" } }));
      await world.stop();
      followChains(world.changes);
      expect(world.changes.slice(before).map(({ customerId }) => customerId)).toEqual(["e", "f"]);
    },
  );

  test.each([
    ["one that had overtaken another, taken back", THIRD],
    ["a return to the former policy, continued", POLICY],
  ])("%s: all are folded, because it is not certain where they stand", async (_, overtaking) => {
    const world = await lived();
    await formerlyAt(world, SECOND, "d");
    await formerlyAt(world, overtaking, "b");
    expect(lastReceipt(world).migrating).toEqual({ to: overtaking.hash, afterCustomerId: "b" });
    await dieAt(world, POLICY, "c");
    await world.settle(start(world, POLICY));
    await world.stop();
    expect(inForce(world)).toEqual(Object.fromEntries(CUSTOMERS.map((id) => [id, "C"])));
  });
});
