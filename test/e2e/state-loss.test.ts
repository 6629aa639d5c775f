import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { shardKeys, type ShardKeys } from "../../src/adapters/redis/keys.ts";
import { until } from "./application.ts";
import { metric, openScene, refusalOf, SHARDS, stop, type LossScene } from "./loss-scene.ts";

/** A4's table on real servers: what Redis may forget, what `run` makes of it, and what people are told. */

const REBUILD = { CLIENTELA_ON_STATE_LOSS: "rebuild" };
const ACQUIRED = "clientela_acquire_duration_seconds_count";

let scene: LossScene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(async () => {
  await scene.close();
});

function keysOf(shard: number): ShardKeys {
  return shardKeys(scene.application.servers.applicationId, shard);
}

/** The shard whose store holds the customer. */
async function shardOf(customerId: string): Promise<number> {
  for (let shard = 0; shard < SHARDS; shard++) {
    if ((await scene.redis.client.hexists(keysOf(shard).states, customerId)) === 1) return shard;
  }
  throw new Error(`nobody holds ${customerId}`);
}

describe("Redis comes back with an older state (regress)", () => {
  test("while nothing ran: folded again in silence, nothing twice, nothing lost", async () => {
    const first = await scene.start();
    await scene.phase();
    const saved = scene.redis.save();
    await scene.phase();
    await stop(first.child);
    const before = await scene.content();
    await scene.redis.restart(saved);
    expect(await scene.content()).not.toEqual(before);
    const second = await scene.start();
    expect(await metric(second.http, ACQUIRED, 'path="gap"')).toBe(SHARDS);
    expect(await scene.content()).toEqual(before);
    await scene.phase();
    await stop(second.child);
  });

  test("while it runs, with records on their way: noticed, folded again, nothing twice, nothing lost", async () => {
    const { child, http } = await scene.start();
    await scene.phase();
    const saved = scene.redis.save();
    await scene.phase();
    await scene.phase({ wait: false });
    await scene.redis.restart(saved);
    await scene.expectComplete(child);
    await scene.phase();
    // A shard without records notices within a second (A4), and is away for a moment then.
    await until("the gap", 20_000, async () => (await metric(http, ACQUIRED, 'path="gap"')) > 0, child);
    await until("readiness", 20_000, async () => (await fetch(`${http}/readyz`)).ok, child);
    await stop(child);
  });

  test("while it is idle: noticed without any record", async () => {
    const { child, http } = await scene.start();
    await scene.phase();
    const saved = scene.redis.save();
    await scene.phase();
    const before = await scene.content();
    await scene.redis.restart(saved);
    await until("the gap", 20_000, async () => (await metric(http, ACQUIRED, 'path="gap"')) >= SHARDS, child);
    await until("readiness", 20_000, async () => (await fetch(`${http}/readyz`)).ok, child);
    expect(await scene.content()).toEqual(before);
    await scene.expectComplete();
    await stop(child);
  });
});

describe("Redis comes back empty (total loss)", () => {
  test("while nothing ran: refused with what was found and what to do, again and again, until it is told to rebuild", async () => {
    const first = await scene.start();
    await scene.phase();
    await scene.phase();
    await stop(first.child);
    const before = await scene.content();
    await scene.redis.client.flushall();
    for (let i = 0; i < 2; i++) {
      expect(await scene.refused()).toMatch(
        /^clientela: shard \d: the state store has no marks, but changes up to seq \d+ have been published\. Restore the state store, or set CLIENTELA_ON_STATE_LOSS=rebuild .* \[STATE_LOST\]\n$/,
      );
    }
    const second = await scene.start(REBUILD);
    expect(await metric(second.http, ACQUIRED, 'path="rebuild"')).toBe(SHARDS);
    expect(await metric(second.http, "clientela_refolded_records_total")).toBe(0);
    expect(await scene.content()).toEqual(before);
    await scene.expectComplete();
    await scene.phase();
    await stop(second.child);
    await stop((await scene.start()).child);
  });

  test("when another policy is to be in force: the file of the former one has to be given", async () => {
    const former = join(scene.folder, "former.json");
    // Another policy, under which nobody changes.
    writeFileSync(former, JSON.stringify({ version: "former", horizonDays: 2000 }));
    const first = await scene.start({ CLIENTELA_POLICY_FILE: former });
    await scene.phase();
    await stop(first.child);
    await scene.redis.client.flushall();
    expect(await scene.refused(REBUILD)).toMatch(
      /^clientela: shard \d: .* under policy [0-9a-f]{12}…, .* CLIENTELA_FORMER_POLICY_FILES \[POLICY_UNKNOWN\]\n$/,
    );
    const second = await scene.start({ ...REBUILD, CLIENTELA_FORMER_POLICY_FILES: former });
    expect(await metric(second.http, ACQUIRED, 'path="rebuild"')).toBe(SHARDS);
    await scene.phase();
    await stop(second.child);
  });

  test("while it runs: exit code 3", async () => {
    const { child } = await scene.start();
    await scene.phase();
    await scene.redis.client.flushall();
    expect(await refusalOf(child)).toMatch(/no marks.*CLIENTELA_ON_STATE_LOSS=rebuild.*\[STATE_LOST\]$/);
    await scene.expectComplete();
  });

  test("while it runs, told to rebuild: healed, no change twice, the states are what they were", async () => {
    const { child, http } = await scene.start(REBUILD);
    await scene.phase();
    await scene.phase();
    const before = await scene.content();
    await scene.redis.client.flushall();
    await until(
      "rebuilt",
      30_000,
      async () => (await metric(http, ACQUIRED, 'path="rebuild"')) >= SHARDS,
      child,
    );
    expect(await scene.content()).toEqual(before);
    await scene.phase();
    await stop(child);
  });
});

describe("a part of a shard is gone", () => {
  test("one shard's keys, all or one of them: refused, and rebuilt to what it was, alone", async () => {
    let { child } = await scene.start();
    await scene.phase();
    const shard = await shardOf("wholesaler");
    const keys = keysOf(shard);
    for (const [gone, found] of [
      [Object.values(keys) as string[], /the state store has no marks/],
      [[keys.marks], /customers, [1-9]\d* chunks and [1-9]\d* deadlines are there without their marks/],
      [[keys.states], /left \d+ customers, .* now there are 0 customers/],
      [[keys.chunks], /left .* [1-9]\d* chunks .* now there are \d+ customers, 0 chunks/],
      [[keys.deadlines], /now there are \d+ customers, \d+ chunks and 0 deadlines/],
    ] as const) {
      await stop(child);
      const before = await scene.content();
      expect(await scene.redis.client.del(...gone)).toBe(gone.length);
      const line = await scene.refused();
      expect(line).toMatch(new RegExp(`shard ${shard}: .*\\[STATE_LOST\\]\n$`));
      expect(line).toMatch(found);
      const healed = await scene.start(REBUILD);
      child = healed.child;
      expect(await metric(healed.http, ACQUIRED, 'path="rebuild"')).toBe(1);
      expect(await metric(healed.http, ACQUIRED, 'path="current"')).toBe(SHARDS - 1);
      expect(await scene.content()).toEqual(before);
    }
    await scene.phase();
    await stop(child);
  }, 240_000);

  test("one customer's state, deleted by hand while it runs: noticed before anything is folded on it", async () => {
    const { child } = await scene.start();
    await scene.phase();
    const shard = await shardOf("c7");
    expect(await scene.redis.client.hdel(keysOf(shard).states, "c7")).toBe(1);
    const line = await refusalOf(child);
    expect(line).toContain(`shard ${shard}: the state is damaged (the last commit left`);
    expect(line).toMatch(/\[STATE_LOST\]$/);
    await scene.phase({ wait: false });
    await stop((await scene.start(REBUILD)).child);
    await scene.expectComplete();
  });

  test("a state that can't be read: refused with STATE_DAMAGED, rebuilt when told so", async () => {
    const first = await scene.start();
    await scene.phase();
    await stop(first.child);
    const before = await scene.content();
    await scene.redis.client.hset(keysOf(await shardOf("c7")).states, "c7", "garbage");
    await scene.phase({ wait: false });
    expect(await refusalOf((await scene.start()).child)).toMatch(
      /can't be read.*CLIENTELA_ON_STATE_LOSS=rebuild.*\[STATE_DAMAGED\]$/,
    );
    const second = await scene.start(REBUILD);
    await scene.expectComplete(second.child);
    expect(await metric(second.http, ACQUIRED, 'path="rebuild"')).toBe(1);
    expect(Object.keys(before[0]?.["states"] ?? {})).not.toEqual([]);
    await stop(second.child);
  });
});

test("killed in the middle of a rebuild, again and again: it goes on, also without being told to rebuild", async () => {
  const customers = 2000;
  const first = await scene.start();
  await scene.phase({ customers });
  await stop(first.child);
  const before = await scene.content();
  await scene.redis.client.flushall();
  // One record a batch: a rebuild that takes its time.
  const slow = { ...REBUILD, CLIENTELA_BATCH_RECORDS: "1" };
  const stored = async (): Promise<number> => {
    const counts = Array.from({ length: SHARDS }, (_, shard) =>
      scene.redis.client.hlen(keysOf(shard).states),
    );
    const all = await Promise.all(counts);
    return all.includes(0) ? 0 : all.reduce((sum, count) => sum + count, 0);
  };
  for (let i = 0; i < 3; i++) {
    const begun = await stored();
    const killed = scene.launch(slow);
    await until("progress", 30_000, async () => (await stored()) >= begun + 100, killed);
    killed.process.kill("SIGKILL");
    await killed.ended;
    expect(await stored(), "still in the middle").toBeLessThan(customers);
  }
  const last = await scene.start();
  expect(await metric(last.http, ACQUIRED, 'path="gap"')).toBe(SHARDS);
  expect(await scene.content()).toEqual(before);
  await scene.phase();
  await stop(last.child);
});
