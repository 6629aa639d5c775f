import { createRedisStateStore, type RedisStateStore } from "../../src/adapters/redis/state-store.ts";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import type { StateCommit } from "../../src/pipeline/ports.ts";
import { instant } from "../../src/shared/instant.ts";
import { RedisCluster } from "../integration/redis/redis-cluster.ts";
import { runBacklog } from "./backlog-run.ts";
import { median } from "./conditions.ts";
import { fillTopics, SHARDS } from "./fill-topics.ts";
import type { BenchSize } from "./main.ts";
import { ratio } from "./medians.ts";
import { onStage, type Say, type Stage } from "./stage.ts";
import { stateCommit } from "./state-commit.ts";

const CUSTOMERS_PER_COMMIT = 500;
const COMMITTING_MS = 3000;
const WAIT = { replicas: 1, timeoutMs: 100 };

interface Commits {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

type ByTurns<T> = Readonly<Record<"without" | "with", readonly T[]>>;

/** What CLIENTELA_REDIS_WAIT_REPLICAS=1 costs: by turns in one run on the same servers, so that what is told is a ratio. */
export async function benchRedisWait(size: BenchSize, say: Say): Promise<object> {
  const cluster = await RedisCluster.start();
  try {
    const one = await commitsByTurns(cluster.url, { shards: 1, customers: 10 }, size.runs, say);
    const all = await commitsByTurns(
      cluster.url,
      { shards: SHARDS, customers: CUSTOMERS_PER_COMMIT },
      size.runs,
      say,
    );
    const live = await onStage(say, (stage) => liveByTurns(stage, cluster.url, size, say));
    return {
      smallCommitsOfOneShard: one,
      largeCommitsOfAllShards: all,
      eventsPerSecond: live,
      eventsRatio: ratio(median(live.with), median(live.without)),
    };
  } finally {
    await cluster.stop();
  }
}

interface Load {
  readonly shards: number;
  /** In each commit. */
  readonly customers: number;
}

export async function commitsByTurns(
  url: string,
  load: Load,
  runs: number,
  say: Say,
): Promise<ByTurns<Commits>> {
  const commits = { without: [] as Commits[], with: [] as Commits[] };
  for (let run = 0; run < 2 * runs; run++) {
    const mode = run % 2 === 0 ? "without" : "with";
    const store = createRedisStateStore({
      url,
      cluster: true,
      applicationId: `commits-${load.shards}-${run}`,
      pages: () => [0, 0],
      logger: createLogger("warn"),
      ...(mode === "with" ? { wait: WAIT } : {}),
    });
    const found = await committing(store, load).finally(() => store.close());
    commits[mode].push(found);
    say(`${load.shards} shards, commits of ${load.customers}, ${mode}: ${JSON.stringify(found)}`);
  }
  return commits;
}

/** The shards at once, each commit after the one before it: heads of 190 bytes, each with a deadline. */
async function committing(store: RedisStateStore, { shards, customers }: Load): Promise<Commits> {
  const times: number[] = [];
  const until = performance.now() + COMMITTING_MS;
  await Promise.all(
    Array.from({ length: shards }, async (_, shard) => {
      const { epoch } = await store.acquire(shard);
      for (let seq = 1; performance.now() < until; seq++) {
        const started = performance.now();
        const { kind } = await store.commit(shard, commitOf(epoch, seq, customers));
        if (kind !== "applied") throw new Error(`a commit of shard ${shard} came to ${kind}`);
        times.push(performance.now() - started);
      }
    }),
  );
  times.sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((times[Math.floor(times.length * share)] ?? NaN) * 100) / 100;
  return { perSecond: Math.round((1000 * times.length) / COMMITTING_MS), p50Ms: at(0.5), p99Ms: at(0.99) };
}

function commitOf(epoch: number, seq: number, customers: number): StateCommit {
  const head = Buffer.alloc(190, seq);
  const writes = Array.from({ length: customers }, (_, i) => ({
    customerId: `c${((seq * 7919 + i * 104_729) % 20_000) + 100_000}`,
    head,
    chunks: [],
    deadlineAt: instant(1_700_000_000_000 + i * 1000 + seq),
  }));
  return stateCommit(epoch, seq, writes);
}

async function liveByTurns(
  { env: stageEnv, dir }: Stage,
  redisUrl: string,
  { events, customers, runs }: BenchSize,
  say: Say,
): Promise<ByTurns<number>> {
  const env = { ...stageEnv, REDIS_URL: redisUrl, CLIENTELA_REDIS_CLUSTER: "yes" };
  await fillTopics({ servers: serversOf(readSettings(env)), partitions: SHARDS, events, customers });
  const rates = { without: [] as number[], with: [] as number[] };
  for (let run = 0; run < 2 * runs; run++) {
    const mode = run % 2 === 0 ? "without" : "with";
    const runEnv =
      mode === "without" ? env : { ...env, CLIENTELA_REDIS_WAIT_REPLICAS: String(WAIT.replicas) };
    const backlog = { env: runEnv, dir, applicationId: `live-${run}`, instances: 1, events };
    const { eventsPerSecond, cpuMicros } = await runBacklog(backlog, () => Promise.resolve());
    say(`live ${mode}: ${eventsPerSecond} events/s ${JSON.stringify(cpuMicros)}`);
    rates[mode].push(eventsPerSecond);
  }
  return rates;
}
