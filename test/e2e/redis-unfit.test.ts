import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "./application.ts";
import { openScene, refusalOf, stop, type LossScene } from "./loss-scene.ts";
import { openRedis } from "./own-redis.ts";

/** A Redis on which states are not safe, at the start and while it runs (A7). */

let scene: LossScene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(async () => {
  await scene.close();
});

test("an eviction policy that could drop states: refused at the start, and when it is set while it runs", async () => {
  const { child } = await scene.start();
  await scene.phase();
  await scene.redis.client.config("SET", "maxmemory-policy", "allkeys-lru");
  const line = await refusalOf(child);
  expect(line).toMatch(/maxmemory-policy allkeys-lru: .* Set maxmemory-policy noeviction \[REDIS_EVICTS\]$/);
  expect(await scene.refused()).toBe(`${line}\n`);
  await scene.redis.client.config("SET", "maxmemory-policy", "noeviction");
  const again = await scene.start();
  await scene.phase();
  await stop(again.child);
});

test("a master that is demoted while it runs: waited for, said in /readyz, nothing lost; refused at the start", async () => {
  const successor = await openRedis();
  try {
    const { child, http } = await scene.start();
    await scene.phase();
    await successor.client.replicaof("127.0.0.1", scene.redis.port);
    await until("replication", 20_000, async () =>
      (await successor.client.info("replication")).includes("master_link_status:up"),
    );
    await successor.client.replicaof("NO", "ONE");
    await scene.redis.client.replicaof("127.0.0.1", successor.port);
    await until("the link", 20_000, async () =>
      (await scene.redis.client.info("replication")).includes("master_link_status:up"),
    );

    // Nothing comes in, and it is said all the same.
    const ready = async (): Promise<{ status: number; text: string }> => {
      const answer = await fetch(`${http}/readyz`);
      return { status: answer.status, text: await answer.text() };
    };
    await until(
      "it is noticed",
      20_000,
      async () => (await ready()).text.includes("Point REDIS_URL at the master"),
      child,
    );
    expect((await ready()).status).toBe(503);
    expect((await fetch(`${http}/livez`)).status).toBe(200);
    const published = scene.seen.length;
    await scene.phase({ wait: false });
    await until("a shard that waits", 20_000, async () => (await ready()).text.includes("READONLY"), child);
    expect(await scene.refused()).toMatch(
      /is a slave of 127\.0\.0\.1: it takes no writes.*\[REDIS_REPLICA\]\n$/,
    );
    expect(child.process.exitCode).toBeNull();
    expect(scene.seen.length).toBeGreaterThanOrEqual(published);

    await scene.redis.client.replicaof("NO", "ONE");
    await scene.expectComplete(child);
    await until("readiness", 20_000, async () => (await ready()).status === 200, child);
    await scene.phase();
    await stop(child);
  } finally {
    await successor.close();
  }
});
