import { setTimeout as sleep } from "node:timers/promises";
import type { Servers } from "../../src/app/compose-kafka.ts";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import { builtInPolicy } from "../../src/app/policy-file.ts";
import { DAY_MS } from "../../src/shared/instant.ts";
import { makeTopics, SHARDS } from "./fill-topics.ts";
import { withInstances, type Instance } from "./instance.ts";
import { dueWithin, LatencyMeter } from "./latency-meter.ts";
import { busyShare, microsPerEvent, openLedger, pidsOf } from "./ledger.ts";
import type { BenchSize } from "./main.ts";
import { medians } from "./medians.ts";
import { orderOf } from "./orders.ts";
import { openProgress, pollUntil, type Progress } from "./progress.ts";
import { readChanges } from "./published.ts";
import { sendAll } from "./send-all.ts";
import { longSpread } from "./spread.ts";
import { onStage, type Say, type Stage } from "./stage.ts";
import { startLoad } from "./steady-load.ts";
import { isOfStorm, StormWatch, stormCustomer } from "./storm-watch.ts";

const SEED = 1;
const RATE = 1_000;
/** Customers of the live traffic. They are filled first, and tell how long the others will take. */
const LIVE_CUSTOMERS = 100_000;
const LIVE_AGE_DAYS = 100;
/** The more states there are, the longer a customer takes. */
const FILL_RESERVE = 1.6;
/** Traffic before the instant: first it warms up, then it is what the storm is compared with. */
const BEFORE_MS = 40_000;
const CALM_MS = 30_000;
const START_MS = 10_000;
const STORM_MS = 900_000;

interface World {
  readonly stage: Stage;
  readonly servers: Servers;
  readonly progress: Progress;
  readonly instances: readonly Instance[];
}

/**
 * A deadline of very many customers at one and the same instant: all bought once, exactly as long ago as the policy waits for a
 * second purchase (S4.3), and become INACTIVE together while other customers' events come in as before.
 */
export async function benchStorm(size: BenchSize, say: Say): Promise<object> {
  const measured = [];
  for (let run = 0; run < size.runs; run++) {
    const figures = await onStage(say, (stage) => stormOnce(stage, size, say));
    say(`storm, run ${run + 1}: ${JSON.stringify(figures)}`);
    measured.push(figures);
  }
  return medians(measured);
}

async function stormOnce(stage: Stage, size: BenchSize, say: Say): Promise<object> {
  const env = { ...stage.env, CLIENTELA_APPLICATION_ID: "storm" };
  const servers = serversOf(readSettings(env));
  await makeTopics(servers, SHARDS);
  const progress = await openProgress(servers);
  stage.later(() => progress.close());
  return withInstances(env, size.instances, async (instances) => {
    await Promise.all(instances.map((instance) => instance.ready()));
    const world: World = { stage, servers, progress, instances };
    const at = await fill(world, size.customers, say);
    return watch(world, size, at);
  });
}

/** Gives every customer of the storm its one order; returns the instant at which they all lapse, which is still to come. */
async function fill({ servers, progress, instances }: World, customers: number, say: Say): Promise<number> {
  const lapseMs = firstLapseMs();
  const live = liveCustomers(customers);
  const liveAt = Date.now() - LIVE_AGE_DAYS * DAY_MS;
  const trialAt = performance.now();
  await sendAll(
    servers,
    SHARDS,
    each(live, (i) => orderOf(i, `c${100_000 + i}`, liveAt)),
  );
  await progress.untilCommitted(live, instances);
  const msEach = (performance.now() - trialAt) / live;
  const plannedMs = START_MS + customers * msEach * FILL_RESERVE;
  const filledAt = performance.now();
  const at = Math.ceil(Date.now() + plannedMs + BEFORE_MS);
  await sendAll(
    servers,
    SHARDS,
    each(customers, (i) => orderOf(live + i, stormCustomer(i), at - lapseMs)),
  );
  await progress.untilCommitted(live + customers, instances);
  await progress.untilStill(instances);
  const tookMs = performance.now() - filledAt;
  say(
    `${customers} customers filled in ${Math.round(tookMs / 1000)} s, the instant is ${new Date(at).toISOString()}`,
  );
  if (Date.now() > at - BEFORE_MS)
    throw new Error(
      `${customers} customers took ${Math.round(tookMs / 1000)} s to fill, ${Math.round(plannedMs / 1000)} s were planned: the instant would come before the traffic is measured`,
    );
  return at;
}

/** Live traffic before the instant, through the storm, and until nothing of it is left. */
async function watch(
  { stage, servers, progress, instances }: World,
  size: BenchSize,
  at: number,
): Promise<object> {
  const { customers } = size;
  const eventsPerSecond = size.rate ?? RATE;
  const storm = new StormWatch(customers, at);
  const meter = new LatencyMeter();
  const reading = await readChanges(servers, "now", (_, records) => {
    meter.note(records.filter(({ key }) => !isOfStorm(key)));
    storm.note(records.filter(({ key }) => isOfStorm(key)));
  });
  const before = await progress.committed();
  await sleep(at - BEFORE_MS - Date.now());
  const source = { kind: "mix", customers: liveCustomers(customers), seed: SEED } as const;
  const load = await startLoad({ servers, shards: SHARDS, eventsPerSecond, source, file: null });
  stage.later(() => load.stop());
  await sleep(at - Date.now());
  const ledger = openLedger(pidsOf(stage.dir, instances));
  await pollUntil(
    instances,
    () => storm.count,
    (count) => count >= customers,
    STORM_MS,
  );
  const used = ledger();
  const { sent, behindMs } = await load.stop();
  await progress.untilCommitted(before + sent, instances);
  await progress.untilStill(instances);
  await reading.stop();
  const { latencies } = await meter.latencies(servers, {
    seed: SEED,
    begunAt: load.begunAt,
    eventsPerSecond,
  });
  const { firstSeenAt, lastSeenAt } = storm.result();
  return {
    eventsPerSecond,
    changes: customers,
    secondsToFirstChange: seconds(firstSeenAt - at),
    secondsToLastChange: seconds(lastSeenAt - at),
    changesPerSecond: Math.round((customers * 1000) / (lastSeenAt - at)),
    liveLatencyMs: {
      before: longSpread(dueWithin(latencies, at - CALM_MS, at)),
      during: longSpread(dueWithin(latencies, at, lastSeenAt)),
    },
    sendMs: behindMs,
    cpuMicrosPerChange: microsPerEvent(used, customers),
    busyShare: busyShare(used),
  };
}

function liveCustomers(customers: number): number {
  return Math.min(LIVE_CUSTOMERS, customers);
}

/** L₀ of the profile that customers without attributes have: the last, which matches all (S5.3). */
export function firstLapseMs(): number {
  const profile = builtInPolicy().profiles.at(-1);
  if (profile === undefined) throw new Error("the policy has no profile");
  return profile.lapse.firstMs;
}

function* each<T>(count: number, make: (i: number) => T): Generator<T> {
  for (let i = 0; i < count; i++) yield make(i);
}

function seconds(ms: number): number {
  return Math.round(ms / 10) / 100;
}
