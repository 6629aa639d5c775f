import { describe, expect, test } from "vitest";
import { testPolicy } from "../policy.ts";
import { day, order } from "./facts.ts";
import { followChains, World, type Owner } from "./world.ts";

const STRICT = testPolicy({
  version: "strict",
  profiles: [{ name: "B2C", value: { aMinor: 9000, bMinor: 100 } }],
});
const LAX = testPolicy({ version: "lax", profiles: [{ name: "B2C", value: { aMinor: 5000, bMinor: 100 } }] });
/** Two batches of the re-fold, and a third that is not full. */
const COUNT = 1200;

async function lived(): Promise<World> {
  const world = new World({ startAt: day(10) });
  await world.append(...Array.from({ length: COUNT }, (_, i) => order(`c${i}`, 9)));
  await world.settle(world.own());
  await world.stop();
  return world;
}

async function kill(world: World, owner: Owner, when: () => boolean): Promise<void> {
  await world.until(when);
  owner.life.kill();
}

describe("another policy (S7.3)", () => {
  test("re-folds every customer once, with origin POLICY, and what comes after follows from it", async () => {
    const world = await lived();
    const before = world.changes.length;
    const owner = world.own({ policy: STRICT });
    await world.settle(owner);
    const changes = world.changes.slice(before);
    expect(new Set(changes.map(({ customerId }) => customerId)).size).toBe(COUNT);
    expect(changes).toHaveLength(COUNT);
    for (const { change } of changes) {
      expect(change).toMatchObject({
        origin: "POLICY",
        cause: { kind: "POLICY" },
        policy: { hash: STRICT.hash },
      });
      expect(change?.current.value).toBe("A");
    }
    expect(world.transactions.at(-1)!.receipt).toMatchObject({ policy: STRICT.hash, migrating: null });
    await world.append(order("c1", 10));
    await world.settle(owner);
    await world.stop();
    expect(world.changes.at(-1)?.change).toMatchObject({ origin: "LIVE", policy: { hash: STRICT.hash } });
    followChains(world.changes);
  });

  test("is over for good: the next start does nothing of the kind", async () => {
    const world = await lived();
    await world.settle(world.own({ policy: STRICT }));
    await world.stop();
    const before = world.transactions.length;
    await world.settle(world.own({ policy: STRICT }));
    await world.stop();
    expect(world.transactions).toHaveLength(before);
  });

  test.each(["transaction", "script"] as const)(
    "a crash in the midst of it, at its second %s: the successor goes on, each customer changes once",
    async (call) => {
      const world = await lived();
      const before = world.changes.length;
      const first = world.own({
        policy: STRICT,
        adversary: (each) => (each === call && world.changes.length > before ? "stall" : null),
      });
      await kill(world, first, () => world.held.count > 0);
      await world.settle(world.own({ policy: STRICT }));
      await world.stop();
      expect(world.changes).toHaveLength(2 * COUNT);
      followChains(world.changes);
    },
  );

  test.each([
    ["back to the former one", undefined, "C"],
    ["on to a third", LAX, "A"],
  ] as const)("interrupted, and then %s: all customers end under it", async (_, policy, value) => {
    const world = await lived();
    const before = world.changes.length;
    const first = world.own({ policy: STRICT });
    await kill(world, first, () => world.changes.length > before);
    await world.settle(world.own(policy === undefined ? {} : { policy }));
    await world.stop();
    const inForce = followChains(world.changes);
    expect(inForce.size).toBe(COUNT);
    for (const classification of inForce.values()) expect(classification.value).toBe(value);
  });

  test.each([1, 2, 3, 5, 100])(
    "the store loses its last %i writes, the change of policy among them: folded again in silence",
    async (lost) => {
      const world = await lived();
      const owner = world.own({ policy: STRICT });
      await world.settle(owner);
      await world.append(order("c1", 10), order("new", 10));
      await world.settle(owner);
      await world.stop();
      const before = { transactions: world.transactions.length, state: await world.state("c1") };
      await world.store.forget(lost);
      await world.settle(world.own({ policy: STRICT, options: { onStateLoss: "rebuild" } }));
      await world.stop();
      expect(world.transactions).toHaveLength(before.transactions);
      expect(await world.state("c1")).toEqual(before.state);
      expect((await world.marks())!.policy).toBe(STRICT.hash);
    },
  );

  test("a crash between its first transaction and the script, and then back to the former one: that one can read what was published", async () => {
    const world = await lived();
    const before = world.changes.length;
    const first = world.own({
      policy: STRICT,
      adversary: (call) => (call === "script" && world.changes.length > before ? "stall" : null),
    });
    await kill(world, first, () => world.held.count > 0);
    await world.settle(world.own());
    await world.stop();
    for (const classification of followChains(world.changes).values()) expect(classification.value).toBe("C");
  });

  test("interrupted and taken back, of which the store loses the taking back: the state follows what was published", async () => {
    const world = await lived();
    const before = world.changes.length;
    const first = world.own({
      policy: STRICT,
      adversary: (call) => (call === "transaction" && world.changes.length > before ? "stall" : null),
    });
    await kill(world, first, () => world.held.count > 0);
    const writes = world.store.writes;
    await world.settle(world.own());
    await world.stop();
    const published = { transactions: world.transactions.length, inForce: followChains(world.changes) };
    await world.store.forget(world.store.writes - writes);
    expect((await world.marks())!.migrating).toMatchObject({ to: STRICT.hash });
    await world.settle(world.own());
    await world.stop();
    expect(world.transactions).toHaveLength(published.transactions);
    for (const customerId of ["c0", "c1", "c1199"]) {
      const state = await world.state(customerId);
      expect(state?.published?.classification).toEqual(published.inForce.get(customerId));
    }
  });

  test("what was published under a policy that nobody knows any more: it refuses", async () => {
    const world = await lived();
    await world.store.forgetAll();
    const owner = world.own({ policy: STRICT, options: { onStateLoss: "rebuild" } });
    world.owners.delete(owner);
    expect(await owner.ended).toMatchObject({ code: "POLICY_UNKNOWN" });
  });
});
