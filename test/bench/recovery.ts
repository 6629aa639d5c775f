import { setTimeout as sleep } from "node:timers/promises";
import type { Servers } from "../../src/app/compose-kafka.ts";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import { DAY_MS } from "../../src/shared/instant.ts";
import { makeTopics, SHARDS } from "./fill-topics.ts";
import { acquisitions, endAll, startInstance, type Instance } from "./instance.ts";
import type { BenchSize } from "./main.ts";
import { orderOf } from "./orders.ts";
import { openProgress, type Progress } from "./progress.ts";
import { followChanges, type Published } from "./published.ts";
import { sendAll } from "./send-all.ts";
import { quantile } from "./spread.ts";
import { onStage, type Say, type Stage } from "./stage.ts";

/** Customers who buy again: the backlog in which the processor is killed. Each then has a change to publish. */
const BACKLOG = 160_000;
/** Of event time between two orders: nine million come to seven weeks. */
const STEP_MS = 500;
const PAST_DAYS = 60;
const RECOVER_MS = 60_000;

interface World {
  readonly servers: Servers;
  readonly progress: Progress;
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
export function benchRecovery({ customers }: BenchSize, say: Say): Promise<object> {
  return onStage(say, async (stage) => {
    const running = new Set<Instance>();
    stage.later(() => endAll(running));
    return recover(stage, running, customers, say);
  });
}

async function recover(stage: Stage, running: Set<Instance>, customers: number, say: Say): Promise<object> {
  const env = { ...stage.env, CLIENTELA_APPLICATION_ID: "recovery" };
  const servers = serversOf(readSettings(env));
  await makeTopics(servers, SHARDS);
  const progress = await openProgress(servers);
  stage.later(() => progress.close());

  const start = (): Instance => {
    const instance = startInstance(env);
    running.add(instance);
    return instance;
  };
  const first = start();
  await first.ready();
  const filledAt = performance.now();
  await sendOrders(servers, { count: customers, firstCustomer: 0, sent: 0 });
  await progress.untilCommitted(customers, [first]);
  say(`${customers} customers filled in ${Math.round((performance.now() - filledAt) / 1000)} s`);
  const published = await followChanges(servers, SHARDS, "now");
  stage.later(() => published.stop());
  const backlog = Math.min(BACKLOG, Math.floor(customers / 2));
  const world: World = { servers, progress, published, backlog, sent: customers, bought: 0 };

  const second = start();
  await second.ready();
  const byAnother = await killAndWatch(world, first, () => second, say);
  running.delete(first);
  await progress.untilCommitted(world.sent, [second]);
  const bySame = await killAndWatch(world, second, start, say);
  running.delete(second);
  return { backlog, threads: process.env["CLIENTELA_THREADS"] ?? "auto", byAnother, bySame };
}

/** One order of each of so many customers, later than the orders that were sent before. */
async function sendOrders(
  servers: Servers,
  { count, firstCustomer, sent }: { count: number; firstCustomer: number; sent: number },
): Promise<void> {
  const startAt = Date.now() - PAST_DAYS * DAY_MS;
  function* orders(): Generator<ReturnType<typeof orderOf>> {
    for (let i = 0; i < count; i++)
      yield orderOf(sent + i, `c${firstCustomer + i}`, startAt + (sent + i) * STEP_MS);
  }
  await sendAll(servers, SHARDS, orders());
}

/** Kills one amid a fresh backlog; `successor` is asked at once for whoever takes over. */
async function killAndWatch(
  world: World,
  victim: Instance,
  successor: () => Instance,
  say: Say,
): Promise<object> {
  const { servers, progress, backlog, sent, bought } = world;
  await sendOrders(servers, { count: backlog, firstCustomer: bought, sent });
  world.sent += backlog;
  world.bought += backlog;
  const held = new Set(acquisitions(victim.lines).map(({ shard }) => shard));
  const threadLagMaxSeconds = await victim.metric("clientela_thread_lag_seconds");
  const left = world.sent - (await progress.committed());
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
