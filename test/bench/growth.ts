import { Redis } from "ioredis";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { withAdmin } from "../../src/app/admin.ts";
import type { Servers } from "../../src/app/compose-kafka.ts";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import { runBacklog, type BacklogFigures } from "./backlog-run.ts";
import { makeTopics, SHARDS } from "./fill-topics.ts";
import { burstEvents, historyEvents, historyUpToNow, type Past } from "./growth-events.ts";
import { withInstances, type Instance } from "./instance.ts";
import type { BenchSize } from "./main.ts";
import { medians, ratio } from "./medians.ts";
import { openProgress } from "./progress.ts";
import { sendAll } from "./send-all.ts";
import { onStage, type Say, type Stage } from "./stage.ts";

/** What grows, while all else stays as it is. */
export const AXES = ["customers", "partitions", "years"] as const;
export type Axis = (typeof AXES)[number];

const SIZES: Readonly<Record<Axis, readonly number[]>> = {
  customers: [10_000, 100_000, 1_000_000, 5_000_000],
  partitions: [8, 32, 128],
  years: [1, 3, 5],
};
/** What the other sizes of an axis are compared with. */
const BASES: Readonly<Record<Axis, number>> = { customers: 100_000, partitions: 8, years: 1 };
const ORDERS_A_YEAR = 4;
/** Where the customers' history is not what grows: two orders make a BUYER, whom a third does not change. */
const SHORT_HISTORY = { ordersEach: 2, days: 100 };

/**
 * How the processors are set for a burst. As configured, customers who are few come again while they are still in memory, and in the
 * same batch, which saves reads and writes: the same traffic over more customers is more work. `eachLoaded` allows neither from
 * 100 000 customers on 8 partitions upwards (12 500 a shard, each once in a round), so that only the number of states differs.
 */
const SETTINGS = {
  asConfigured: {},
  eachLoaded: { CLIENTELA_CACHE_MIB: "16", CLIENTELA_BATCH_RECORDS: "7500" },
} as const;
type Mode = keyof typeof SETTINGS;

interface Size {
  readonly axis: Axis;
  readonly value: number;
  readonly partitions: number;
  readonly past: Past;
}

interface BurstFigures extends Omit<BacklogFigures, "cpuMicros" | "threads"> {
  readonly cpuMicrosPerEvent: Readonly<Record<string, number>>;
  /** Outputs are counted with the marks of transactions, some in a thousand. */
  readonly changesPerEvent: number;
  /** Customers that were found in memory. */
  readonly cacheHitShare: number;
}

/** Of one size. */
export interface SizeFigures {
  readonly eventsPerCustomer: { readonly history: number; readonly burst: number };
  readonly bursts: { readonly [mode in Mode]?: BurstFigures };
}

/**
 * The scenario of an axis: the same burst of events to ever more customers, partitions, or years of history. All states are made first,
 * by a silent first start; then a process starts with nothing in memory and works through the burst.
 */
export function benchGrowth(axis: Axis): (size: BenchSize, say: Say) => Promise<object> {
  return (size, say) => growAlong(axis, size, say);
}

function growAlong(axis: Axis, size: BenchSize, say: Say): Promise<object> {
  return onStage(say, async (stage) => {
    // The broker's own code is not compiled yet: the first burst of its life says nothing.
    await measure(
      stage,
      "warm",
      sizeOf("customers", 20_000, size),
      { ...size, events: 100_000, runs: 1 },
      say,
    );
    const measured = new Map<number, SizeFigures>();
    for (const value of size.sizes ?? SIZES[axis]) {
      const found = await measure(stage, `${axis}-${value}`, sizeOf(axis, value, size), size, say);
      say(`${axis} ${value}: ${JSON.stringify(found)}`);
      measured.set(value, found);
    }
    return { bySize: compared(measured, BASES[axis]) };
  });
}

function sizeOf(axis: Axis, value: number, { customers }: BenchSize): Size {
  const past = axis === "years" ? { ordersEach: ORDERS_A_YEAR * value, days: 365 * value } : SHORT_HISTORY;
  return {
    axis,
    value,
    partitions: axis === "partitions" ? value : SHARDS,
    past: { ...past, customers: axis === "customers" ? value : customers },
  };
}

/** All of one size: its states, then bursts of each mode by turns. Leaves nothing on the servers. */
async function measure(
  stage: Stage,
  name: string,
  { axis, partitions, past }: Size,
  { events, runs }: BenchSize,
  say: Say,
): Promise<SizeFigures> {
  const env = { ...stage.env, CLIENTELA_TOPIC_PREFIX: `${name}-`, CLIENTELA_APPLICATION_ID: name };
  const servers = serversOf(readSettings(env));
  await makeTopics(servers, partitions);
  // What each mode saves shows where customers are many or few; elsewhere it would be the same twice.
  const modes: readonly Mode[] = axis === "customers" ? ["asConfigured", "eachLoaded"] : ["asConfigured"];
  const history = historyUpToNow(past, events * runs * modes.length);
  try {
    const filledAt = performance.now();
    let sent = history.customers * history.ordersEach;
    await sendAll(servers, partitions, historyEvents(history));
    await makeStates(servers, env, sent);
    say(`${name}: ${sent} events of history in ${Math.round((performance.now() - filledAt) / 1000)} s`);
    const measured = new Map<Mode, BurstFigures[]>(modes.map((mode) => [mode, []]));
    let first = 0;
    for (let run = 0; run < runs; run++) {
      for (const [mode, found] of measured) {
        await sendAll(servers, partitions, burstEvents({ history, first, events }));
        first += events;
        const done = sent;
        sent += events;
        found.push(await burstOnce({ ...env, ...SETTINGS[mode] }, stage.dir, name, done, sent));
      }
    }
    return {
      eventsPerCustomer: { history: past.ordersEach, burst: ratio(events, past.customers) },
      bursts: Object.fromEntries([...measured].map(([mode, found]) => [mode, medians(found)])),
    };
  } finally {
    await clear(servers);
  }
}

/** A silent first start: only states and segments, so that history costs as little as it can. */
async function makeStates(servers: Servers, env: NodeJS.ProcessEnv, events: number): Promise<void> {
  const progress = await openProgress(servers);
  try {
    await withInstances({ ...env, CLIENTELA_FIRST_START: "silent" }, 1, async (instances) => {
      await progress.untilCommitted(events, instances);
      await progress.untilStill(instances);
    });
  } finally {
    await progress.close();
  }
}

async function burstOnce(
  env: NodeJS.ProcessEnv,
  dir: string,
  applicationId: string,
  done: number,
  events: number,
): Promise<BurstFigures> {
  const progress = await openProgress(serversOf(readSettings(env)));
  const changesNow = async (): Promise<number> =>
    (await progress.ends("segment-changes")).reduce((sum, { offset }) => sum + offset, 0);
  try {
    const before = await changesNow();
    const { cpuMicros, threads, inspected, ...figures } = await runBacklog(
      { env, dir, applicationId, instances: 1, events, done },
      async ([instance]) => ({
        changes: (await changesNow()) - before,
        hitShare: await hitShareOf(instance),
      }),
    );
    return {
      ...figures,
      cpuMicrosPerEvent: cpuMicros,
      changesPerEvent: ratio(inspected.changes, events - done),
      cacheHitShare: inspected.hitShare,
    };
  } finally {
    await progress.close();
  }
}

async function hitShareOf(instance: Instance | undefined): Promise<number> {
  const of = async (result: string): Promise<number> =>
    (await instance?.metric(`clientela_cache_lookups_total{result="${result}"}`)) ?? NaN;
  const [hits, misses] = [await of("hit"), await of("miss")];
  return ratio(hits, hits + misses);
}

async function clear(servers: Servers): Promise<void> {
  await withAdmin(servers, createLogger("error"), "deleting topics", async (admin) => {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(servers.topicPrefix));
    await admin.deleteTopics({ topics });
  });
  const redis = new Redis(servers.redisUrl);
  await redis.flushall().finally(() => redis.disconnect());
}

/** Each size with what it does of the base's rate and takes of its CPU; the first size stands in where the base is not among them. */
export function compared(measured: ReadonlyMap<number, SizeFigures>, base: number): object {
  const [first] = measured.values();
  const ofBase = (measured.get(base) ?? first)?.bursts ?? {};
  const entries = [...measured].map(([value, { eventsPerCustomer, bursts }]) => {
    const modes = (Object.entries(bursts) as [Mode, BurstFigures][]).map(([mode, found]) => [
      mode,
      { ...found, ofBase: comparedWith(found, ofBase[mode]) },
    ]);
    return [value, { eventsPerCustomer, ...(Object.fromEntries(modes) as object) }];
  });
  return Object.fromEntries(entries) as object;
}

function comparedWith(found: BurstFigures, base: BurstFigures | undefined): object {
  return {
    eventsPerSecond: ratio(found.eventsPerSecond, base?.eventsPerSecond ?? NaN),
    cpuMicrosPerEvent: ratio(found.cpuMicrosPerEvent["all"] ?? NaN, base?.cpuMicrosPerEvent["all"] ?? NaN),
  };
}
