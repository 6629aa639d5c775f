import { describe, expect, test } from "vitest";
import type { RefusedError } from "../../src/pipeline/errors.ts";
import { refuseOtherLog, type LogIdentity } from "../../src/pipeline/log-identity.ts";
import type { ShardLog } from "../../src/pipeline/ports.ts";
import { day, order } from "./facts.ts";
import { World } from "./world.ts";

const LOG: LogIdentity = { cluster: "K1", prefix: "a.", shards: 4, topics: { orders: "o1", surveys: "s1" } };

function refusal(found: LogIdentity | undefined, now: LogIdentity): RefusedError | null {
  try {
    refuseOtherLog("the state of shard 2", found, now);
    return null;
  } catch (error) {
    return error as RefusedError;
  }
}

describe("which log offsets count in (A3, A4)", () => {
  test.each([
    ["another cluster", { cluster: "K2" }, "APPLICATION_ID_TAKEN", /cluster K1, but this .* cluster K2/],
    ["another prefix", { prefix: "b." }, "APPLICATION_ID_TAKEN", /topics a\.orders .* topics b\.orders/],
    ["more partitions", { shards: 6 }, "PARTITIONS_CHANGED", /made with 4 partitions, now the inputs have 6/],
    [
      "a topic made anew",
      { topics: { orders: "o2", surveys: "s1" } },
      "TOPICS_REPLACED",
      /: a\.orders \(its topic id was o1, now o2\)\./,
    ],
  ] as const)("%s is refused by name", (_, change, code, says) => {
    const error = refusal(LOG, { ...LOG, ...change });
    expect(error).toMatchObject({ code, retriable: false });
    expect(error?.message).toMatch(says);
    expect(error?.message).toMatch(/^the state of shard 2 .*CLIENTELA_APPLICATION_ID/);
  });

  test.each([
    ["from before it was kept", undefined, LOG],
    ["the same", LOG, { ...LOG, topics: { ...LOG.topics } }],
    ["without topic ids then", { ...LOG, topics: {} }, LOG],
    ["without topic ids now", LOG, { ...LOG, topics: {} }],
    ["of a cluster that does not tell its id", { ...LOG, cluster: "" }, LOG],
  ] as const)("%s is accepted", (_, found, now) => {
    expect(refusal(found, now)).toBeNull();
  });
});

describe("a shard whose marks or receipt are of another log", () => {
  const as =
    (identity: LogIdentity) =>
    (inner: ShardLog): ShardLog => ({ ...inner, identity });

  async function lived(): Promise<World> {
    const world = new World({ startAt: day(20) });
    await world.append(order("a", 1), order("a", 19));
    await world.settle(world.own({ log: as(LOG) }));
    await world.stop();
    return world;
  }

  async function refusedBy(world: World, log: (inner: ShardLog) => ShardLog): Promise<unknown> {
    const owner = world.own({ log });
    world.owners.delete(owner);
    const error = await owner.ended;
    return error !== null && "code" in error ? error.code : error;
  }

  test("says so in both, and goes on with the same", async () => {
    const world = await lived();
    expect((await world.marks())?.log).toEqual(LOG);
    expect(world.transactions.at(-1)?.receipt.log).toEqual(LOG);
    await world.settle(world.own({ log: as({ ...LOG }) }));
    await world.stop();
  });

  test("refuses before it takes the shard from whoever has it", async () => {
    const world = await lived();
    const before = await world.store.inner.position(0);
    const transactions = world.transactions.length;
    expect(await refusedBy(world, as({ ...LOG, prefix: "b." }))).toBe("APPLICATION_ID_TAKEN");
    expect(await refusedBy(world, as({ ...LOG, shards: 8 }))).toBe("PARTITIONS_CHANGED");
    expect(await world.store.inner.position(0)).toEqual(before);
    expect(world.transactions).toHaveLength(transactions);
  });

  test("refuses by the receipt when the store has lost its marks, also when it would rebuild", async () => {
    const world = await lived();
    await world.store.forgetAll();
    const owner = world.own({
      log: as({ ...LOG, topics: { orders: "o2" } }),
      options: { onStateLoss: "rebuild" },
    });
    world.owners.delete(owner);
    expect(await owner.ended).toMatchObject({ code: "TOPICS_REPLACED" });
  });
});
