import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shardKeys } from "../../src/adapters/redis/keys.ts";
import { customerFromStore } from "../../src/app/look-up.ts";
import { builtInPolicy } from "../../src/app/policy-file.ts";
import { produce } from "../../src/app/produce.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import { run, start } from "../child.ts";
import { RedisCluster } from "../integration/redis/redis-cluster.ts";
import type { RedisProcess } from "../integration/redis/redis-process.ts";
import { freshApplication, LOGGER, logOf, subscribe, until } from "./application.ts";
import { cdnowLines } from "./cdnow-events.ts";
import { chainsOf, isChain, placeOf, replayedChanges } from "./chains.ts";

/** With batches of 30 records enough for some twenty seconds of work. */
const EVENTS = 30_000;
const SHARDS = 8;

let cluster: RedisCluster;
const folder = mkdtempSync(join(tmpdir(), "clientela-cluster-"));
const file = join(folder, "orders.jsonl");

beforeAll(async () => {
  writeFileSync(file, `${cdnowLines().slice(0, EVENTS).join("\n")}\n`);
  cluster = await RedisCluster.start();
});
afterAll(async () => {
  await cluster.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a slot is moved, a master dies, a replica that is behind is forced to take over: each change comes once, and all shards go on (A4, A7)", async () => {
  const application = freshApplication({
    REDIS_URL: cluster.url,
    CLIENTELA_REDIS_CLUSTER: "yes",
    CLIENTELA_PARTITIONS: String(SHARDS),
    CLIENTELA_BATCH_RECORDS: "30",
  });
  const { env, servers } = application;
  expect((await run(["setup"], env)).code).toBe(0);
  await produce({
    servers,
    files: [file],
    rate: null,
    signal: new AbortController().signal,
    logger: LOGGER,
    onProgress: () => undefined,
    onRefused: (_file, line, why) => expect.fail(`line ${line}: ${why}`),
  });
  const expected = await replayedChanges(file, Date.now());
  const total = [...expected.values()].reduce((sum, changes) => sum + changes.length, 0);
  const keyOf = (shard: number): string => shardKeys(servers.applicationId, shard).marks;

  const subscription = await subscribe(application);
  const processor = start(["run"], env);
  const seen = (): number => subscription.seen.length;
  const acquired = (path?: string): number =>
    logOf(processor).filter(
      (line) => line["msg"] === "shard acquired" && (path === undefined || line["path"] === path),
    ).length;
  const part = (share: number): Promise<void> =>
    until(`${100 * share} % of the changes`, 60_000, () => seen() >= total * share, processor);
  try {
    await until("all shards", 60_000, () => acquired() >= SHARDS, processor);

    await part(0.1);
    const mover = await cluster.masterOf(keyOf(0));
    const target = (await cluster.masters()).find((server) => server !== mover) ?? mover;
    await cluster.moveSlot(keyOf(0), target);
    expect(seen(), "the slot was moved under load").toBeLessThan(total);

    await part(0.25);
    const victim = await cluster.masterOf(keyOf(1));
    await cluster.untilOk();
    const before = acquired();
    await victim.kill();
    const killedAt = seen();
    const http = String(logOf(processor).find(({ msg }) => msg === "starting")?.["http"]);
    await until(
      "readiness that says what is waited for",
      10_000,
      async () => {
        const answer = await fetch(`${http}/readyz`);
        return answer.status === 503 && (await answer.text()).includes("Redis ");
      },
      processor,
    );
    await until("its shards at work again", 30_000, () => acquired() > before, processor);

    // What the test does to the cluster takes its time; the processor stands meanwhile, so that there is work left for the failover.
    const { master, replica, letGo } = await whileFrozen(processor.process, async () => {
      await victim.start();
      await cluster.untilOk();
      const master = await cluster.masterOf(keyOf(1));
      const replica = await cluster.replicaOf(master);
      return { master, replica, letGo: await cluster.holdBack(replica, master) };
    });
    expect(replica, "who was killed follows who took over").toBe(victim);
    const gaps = acquired("gap");
    const ofMaster = await shardsOf(master);
    const seenThere = (): number =>
      subscription.seen.filter(({ customerId }) => ofMaster.has(shardOf(customerId))).length;
    const heldAt = seenThere();
    await until(
      "commits that the replica lacks",
      30_000,
      () => seenThere() > heldAt + total / 100,
      processor,
    );
    const failedOverAt = seen();
    expect(failedOverAt, "the failover came under load").toBeLessThan(total);
    await cluster.failOver(replica, "FORCE").finally(letGo);
    await until("a silent re-fold of what was lost", 30_000, () => acquired("gap") > gaps, processor);

    await until("every change", 60_000, () => seen() >= total, processor);
    process.stdout.write(
      `${total} changes; master killed after ${killedAt}, forced failover after ${failedOverAt}; shards acquired: ${acquired()}, of these ${acquired("gap")} with a gap\n`,
    );
    await expectLookUpToAnswer();
    processor.process.kill("SIGTERM");
    expect(await processor.ended).toBe(0);
  } finally {
    processor.process.kill("SIGKILL");
    await subscription.stop();
  }

  const published = chainsOf(subscription.seen);
  expect([...published.keys()].sort()).toEqual([...expected.keys()].sort());
  const idsOf = (changes: readonly { changeId: string }[]): string[] =>
    changes.map(({ changeId }) => changeId);
  const wrong = [...published].filter(
    ([customerId, changes]) =>
      !isChain(changes) || !isDeepStrictEqual(idsOf(changes), idsOf(expected.get(customerId) ?? [])),
  );
  expect(wrong.slice(0, 3)).toEqual([]);

  // What the cluster holds in the end is where the output ends, for every customer.
  const policy = builtInPolicy();
  const sample = [...expected.keys()].filter((_, i) => i % 400 === 0);
  for (const customerId of sample) {
    const customer = await customerFromStore(servers, customerId, policy, LOGGER);
    expect(placeOf(customer?.state.published?.classification)).toBe(
      placeOf(expected.get(customerId)?.at(-1)?.current),
    );
  }

  async function shardsOf(master: RedisProcess): Promise<ReadonlySet<number>> {
    const masters = await Promise.all(
      Array.from({ length: SHARDS }, (_, shard) => cluster.masterOf(keyOf(shard))),
    );
    return new Set(masters.flatMap((each, shard) => (each === master ? [shard] : [])));
  }

  async function expectLookUpToAnswer(): Promise<void> {
    const [customerId = "", changes = []] = [...expected].find(([, each]) => each.length > 3) ?? [];
    // The purchases are older than the horizon by now: what is left of them is where they led.
    expect((await run(["timeline", customerId, "--json"], env)).code).toBe(0);
    const explained = await run(["explain", customerId], env);
    expect([explained.code, explained.stderr]).toEqual([0, ""]);
    expect(explained.stdout).toContain(placeOf(changes.at(-1)?.current).split(" ")[1] ?? "?");
  }
}, 180_000);

/** Runs `work` while the process stands still, as one that its machine gives no time. */
async function whileFrozen<T>(child: ChildProcess, work: () => Promise<T>): Promise<T> {
  child.kill("SIGSTOP");
  try {
    return await work();
  } finally {
    child.kill("SIGCONT");
  }
}

const shardOf = (customerId: string): number => partitionOf(Buffer.from(customerId, "utf8"), SHARDS);
