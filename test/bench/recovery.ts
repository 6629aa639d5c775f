import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { kafkaClient } from "../../src/app/compose-kafka.ts";
import { readSettings, serversOf, type Settings } from "../../src/app/settings.ts";
import { setup } from "../../src/app/setup.ts";
import { stackDown, stackUp } from "../../src/app/stack/stack.ts";
import { acquisitions, startInstance, type Instance } from "./instance.ts";
import type { BenchSize } from "./main.ts";
import { followChanges, quantile, type Published } from "./published.ts";
import { sendBurst } from "./steady-load.ts";

const SHARDS = 8;
const DAY_MS = 86_400_000;
/** Customers who buy again: the backlog in which the processor is killed. Each then has a change to publish. */
const BACKLOG = 160_000;
const POLL_MS = 50;
const FILL_MS = 900_000;
const RECOVER_MS = 60_000;

interface World {
  readonly env: NodeJS.ProcessEnv;
  readonly settings: Settings;
  readonly admin: Admin;
  readonly published: Published;
  readonly backlog: number;
  /** Orders sent so far. */
  sent: number;
  /** Customers who have bought again. */
  bought: number;
}

/**
 * A processor is killed in the middle of a backlog, with every customer's state in Redis: from the kill to the first change that
 * each of its shards publishes again. Once a second processor takes over, once the same one is started again at once.
 */
export async function benchRecovery({ customers }: BenchSize, say: (text: string) => void): Promise<object> {
  const dir = mkdtempSync(join(tmpdir(), "clientela-bench-"));
  const endpoints = await stackUp(dir, say);
  const running = new Set<Instance>();
  const closing: (() => Promise<unknown>)[] = [];
  try {
    const env = { ...process.env, ...endpoints, CLIENTELA_APPLICATION_ID: "recovery" };
    const settings = readSettings(env);
    const servers = serversOf(settings);
    const logger = createLogger("error");
    await setup({ servers, partitions: SHARDS, replicationFactor: 1, changesRetentionMs: DAY_MS, logger });
    const admin = kafkaClient(servers, logger).admin();
    await admin.connect();
    closing.push(() => admin.disconnect());

    const start = (): Instance => {
      const instance = startInstance(env);
      running.add(instance);
      return instance;
    };
    const first = start();
    await first.ready();
    const filledAt = performance.now();
    await sendBurst({ servers, shards: SHARDS, customers, firstCustomer: 0, sent: 0 });
    await untilDone(admin, settings, customers, first);
    say(`${customers} customers filled in ${Math.round((performance.now() - filledAt) / 1000)} s`);
    const published = await followChanges(servers, SHARDS, "now");
    closing.push(() => published.stop());
    const backlog = Math.min(BACKLOG, Math.floor(customers / 2));
    const world: World = { env, settings, admin, published, backlog, sent: customers, bought: 0 };

    const second = start();
    await second.ready();
    const byAnother = await killAndWatch(world, first, () => second, say);
    running.delete(first);
    await untilDone(admin, settings, world.sent, second);
    const bySame = await killAndWatch(world, second, start, say);
    running.delete(second);
    return { backlog, threads: process.env["CLIENTELA_THREADS"] ?? "auto", byAnother, bySame };
  } finally {
    for (const instance of running) instance.process.kill("SIGTERM");
    await Promise.all([...running].map(({ ended }) => ended));
    await Promise.allSettled(closing.map((close) => close()));
    await stackDown(dir);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Kills one amid a fresh backlog; `successor` is asked at once for whoever takes over. */
async function killAndWatch(
  world: World,
  victim: Instance,
  successor: () => Instance,
  say: (text: string) => void,
): Promise<object> {
  const servers = serversOf(world.settings);
  const { backlog, sent, bought } = world;
  await sendBurst({ servers, shards: SHARDS, customers: backlog, firstCustomer: bought, sent });
  world.sent += backlog;
  world.bought += backlog;
  const held = new Set(acquisitions(victim.lines).map(({ shard }) => shard));
  const threadLagMaxSeconds = await victim.metric("clientela_thread_lag_seconds");
  const left = world.sent - (await committed(world.admin, world.settings));
  const killedAt = Date.now();
  victim.process.kill("SIGKILL");
  await victim.ended;
  if (left < backlog / 4) throw new Error(`only ${left} records were left when the processor was killed`);
  const heir = successor();
  const deadline = killedAt + RECOVER_MS;
  const taken = (): Map<number, number> =>
    new Map(
      acquisitions(heir.lines)
        .filter(({ at, shard }) => at > killedAt && held.has(shard))
        .map(({ shard, at }) => [shard, at]),
    );
  // What the victim held when it was killed, not what it had before the other came, is what is acquired anew.
  const firstChanges = (): number[] =>
    [...taken()].flatMap(([shard, at]) => world.published.sentAt[shard]?.find((time) => time >= at) ?? []);
  let known = -1;
  // Settled when every shard taken over has published, and no more have come for a while.
  for (;;) {
    if (heir.process.exitCode !== null) throw new Error(`the successor ended:\n${heir.lastWords()}`);
    if (Date.now() > deadline)
      throw new Error(`no recovery within ${RECOVER_MS / 1000} s:\n${heir.lastWords()}`);
    const shards = taken().size;
    if (shards > 0 && shards === known && firstChanges().length === shards) break;
    known = shards;
    await sleep(1_000);
  }
  const seconds = (instants: readonly number[], q: number): number =>
    Math.round(((quantile(instants, q) ?? NaN) - killedAt) / 10) / 100;
  const assignedAt = heir.lines
    .filter(({ msg, at }) => msg === "shards assigned" && at > killedAt)
    .map(({ at }) => at);
  const figures = {
    backlogLeft: left,
    /** Of the victim, since its start: what heartbeats had to bear. */
    threadLagMaxSeconds,
    shards: taken().size,
    secondsToAssignment: seconds(assignedAt, 0),
    secondsToFirstAcquired: seconds([...taken().values()], 0),
    secondsToLastAcquired: seconds([...taken().values()], 1),
    secondsToFirstChange: seconds(firstChanges(), 0),
    secondsToLastShardsChange: seconds(firstChanges(), 1),
  };
  say(JSON.stringify(figures));
  return figures;
}

async function committed(admin: Admin, { applicationId, topicPrefix }: Settings): Promise<number> {
  const answers = await admin.fetchOffsets({ groupId: applicationId, topics: [`${topicPrefix}orders`] });
  return answers
    .flatMap(({ partitions }) => partitions)
    .reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
}

async function untilDone(admin: Admin, settings: Settings, count: number, by: Instance): Promise<void> {
  const deadline = Date.now() + FILL_MS;
  while ((await committed(admin, settings)) < count) {
    if (by.process.exitCode !== null) throw new Error(`a processor ended:\n${by.lastWords()}`);
    if (Date.now() > deadline) throw new Error(`not folded within ${FILL_MS / 1000} s`);
    await sleep(POLL_MS);
  }
}
