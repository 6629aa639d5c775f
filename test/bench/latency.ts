import { setTimeout as sleep } from "node:timers/promises";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import type { Servers } from "../../src/app/compose-kafka.ts";
import { catchUp } from "./catch-up.ts";
import { fillTopics, SHARDS } from "./fill-topics.ts";
import { withInstances, type Instance } from "./instance.ts";
import { dueWithin, LatencyMeter } from "./latency-meter.ts";
import { busyShare, microsPerEvent, openLedger, pidsOf } from "./ledger.ts";
import type { BenchSize } from "./main.ts";
import { medians } from "./medians.ts";
import { openProgress, type Progress } from "./progress.ts";
import { readChanges } from "./published.ts";
import { longSpread, type Spread } from "./spread.ts";
import { onStage, type Say, type Stage } from "./stage.ts";
import { startLoad } from "./steady-load.ts";

/** Of the highest rate, where none is asked for. */
const SHARE_OF_HIGHEST = 0.5;
/** A lag of more than so many seconds at the end says that it was growing: a batch waits for 100 ms and its commit. */
const GREATEST_LAG_SECONDS = 1;

const SECONDS = 60;
/** A broker compiles its own code in the first minute of a load, with half a core. */
const WARM_SECONDS = 60;

/** Seconds of a load: those that are measured, and those before. */
interface Times {
  readonly seconds: number;
  readonly warm: number;
}

interface Measured {
  readonly measuredEvents: number;
  /** From when an event was due until a subscriber had its change. */
  readonly latencyMs: Spread;
  /** The sender's part of it: until the event was in the log. */
  readonly sendMs: Spread;
  /** Events that were due and not committed when the time was over, as seconds of the rate. */
  readonly lagSeconds: number;
  readonly cpuMicrosPerEvent: Readonly<Record<string, number>>;
  readonly busyShare: number;
}

interface World {
  readonly stage: Stage;
  readonly servers: Servers;
  readonly instances: readonly Instance[];
  readonly progress: Progress;
  readonly eventsPerSecond: number;
}

/**
 * How long after an event its change is visible to a `read_committed` subscriber, while the realistic mix comes in at an even rate:
 * each event dated the instant at which it is due, after three years of history of the same customers.
 */
export function benchLatency(size: BenchSize, say: Say): Promise<object> {
  return onStage(say, async (stage) => {
    const { events, customers, runs, instances: count } = size;
    const env = { ...stage.env, CLIENTELA_APPLICATION_ID: "latency" };
    const servers = serversOf(readSettings(env));
    await fillTopics({ servers, partitions: SHARDS, events, customers });
    const progress = await openProgress(servers);
    stage.later(() => progress.close());
    const startedAt = performance.now();
    return withInstances(env, count, async (instances) => {
      const highest = await catchUp({ stage, instances, progress, events, startedAt });
      say(`history: ${JSON.stringify(highest)}`);
      const eventsPerSecond = size.rate ?? Math.floor(highest.eventsPerSecondAtWork * SHARE_OF_HIGHEST);
      const world: World = { stage, servers, instances, progress, eventsPerSecond };
      const times: Times = { seconds: size.seconds ?? SECONDS, warm: size.warm ?? WARM_SECONDS };
      const measured: Measured[] = [];
      for (let run = 0; run < runs; run++) {
        const figures = await measure(world, { customers, ...times }, run);
        say(`latency, run ${run + 1}: ${JSON.stringify(figures)}`);
        measured.push(figures);
      }
      return {
        highestEventsPerSecond: highest.eventsPerSecondAtWork,
        eventsPerSecond,
        measuredSeconds: times.seconds,
        warmSeconds: times.warm,
        isRateHeld: measured.every(({ lagSeconds }) => lagSeconds <= GREATEST_LAG_SECONDS),
        ...medians(measured),
        threads: highest.threads,
      };
    });
  });
}

/** One load, from a quiet start to a quiet end; measured after the warm-up. */
async function measure(
  { stage, servers, instances, progress, eventsPerSecond }: World,
  { customers, seconds, warm }: Pick<BenchSize, "customers"> & Times,
  run: number,
): Promise<Measured> {
  const seed = 100 + run;
  const meter = new LatencyMeter();
  const reading = await readChanges(servers, "now", (_, records) => meter.note(records));
  const before = await progress.committed();
  const load = await startLoad({
    servers,
    shards: SHARDS,
    eventsPerSecond,
    source: { kind: "mix", customers, seed },
    file: null,
  });
  stage.later(() => load.stop());
  const from = load.begunAt + warm * 1000;
  const to = from + seconds * 1000;
  await sleep(from - Date.now());
  const ledger = openLedger(pidsOf(stage.dir, instances));
  await sleep(to - Date.now());
  const used = ledger();
  const wasDue = ((Date.now() - load.begunAt) / 1000) * eventsPerSecond;
  const lag = Math.max(0, wasDue - ((await progress.committed()) - before));
  const { sent, behindMs } = await load.stop();
  await progress.untilCommitted(before + sent, instances);
  await progress.untilStill(instances);
  await reading.stop();
  const { begunAt } = load;
  const { latencies } = await meter.latencies(servers, { seed, begunAt, eventsPerSecond });
  const measuredEvents = Math.round(eventsPerSecond * seconds);
  return {
    measuredEvents,
    latencyMs: longSpread(dueWithin(latencies, from, to)),
    sendMs: behindMs,
    lagSeconds: Math.round((100 * lag) / eventsPerSecond) / 100,
    cpuMicrosPerEvent: microsPerEvent(used, measuredEvents),
    busyShare: busyShare(used),
  };
}
