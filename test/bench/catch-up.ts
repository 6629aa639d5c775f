import { readSettings, serversOf } from "../../src/app/settings.ts";
import { peakMiB } from "./conditions.ts";
import { fillTopics, SHARDS } from "./fill-topics.ts";
import { threadsOf, withInstances, type Instance } from "./instance.ts";
import { busyShare, microsPerEvent, openLedger, pidsOf } from "./ledger.ts";
import type { BenchSize } from "./main.ts";
import { medians } from "./medians.ts";
import { openProgress, type Progress } from "./progress.ts";
import { onStage, type Say, type Stage } from "./stage.ts";

export interface CaughtUp {
  /** From the start of the processes. */
  readonly secondsToFirstCommit: number;
  readonly secondsToCommitted: number;
  /** Until nothing more came out: deadlines that were due are applied. */
  readonly secondsToStill: number;
  /** Over all of the time until all was committed. */
  readonly eventsPerSecond: number;
  /** Without the time until the first commit. */
  readonly eventsPerSecondAtWork: number;
  readonly cpuMicrosPerEvent: Readonly<Record<string, number>>;
  readonly busyShare: number;
  readonly threads: number;
  readonly processorPeakMiB: number;
}

/** A long stop, or a first start: a backlog is there, nothing is committed, and a process starts from cold. */
export function benchCatchUp(size: BenchSize, say: Say): Promise<object> {
  return onStage(say, async (stage) => {
    const { events, customers, runs, instances: count } = size;
    await fillTopics({
      servers: serversOf(readSettings(stage.env)),
      partitions: SHARDS,
      events,
      customers,
    });
    const measured: CaughtUp[] = [];
    for (let run = 0; run < runs; run++) {
      const env = { ...stage.env, CLIENTELA_APPLICATION_ID: `catch-up-${run}` };
      const progress = await openProgress(serversOf(readSettings(env)));
      stage.later(() => progress.close());
      const startedAt = performance.now();
      const figures = await withInstances(env, count, (instances) =>
        catchUp({ stage, instances, progress, events, startedAt }),
      );
      say(`catch-up, run ${run + 1}: ${JSON.stringify(figures)}`);
      measured.push(figures);
    }
    return medians(measured);
  });
}

export interface CatchingUp {
  readonly stage: Stage;
  /** Just started, with nothing committed. */
  readonly instances: readonly Instance[];
  readonly progress: Progress;
  /** Records that are in the topics. */
  readonly events: number;
  /** When the processes were started (performance.now()). */
  readonly startedAt: number;
}

/** Watches processes work through all that is there; they go on running. */
export async function catchUp({
  stage,
  instances,
  progress,
  events,
  startedAt,
}: CatchingUp): Promise<CaughtUp> {
  const ledger = openLedger(pidsOf(stage.dir, instances));
  const secondsSince = (since: number, until = performance.now()): number =>
    Math.round((until - since) / 10) / 100;
  const first = await progress.untilCommitted(1, instances);
  const firstAt = performance.now();
  await progress.untilCommitted(events, instances);
  const used = ledger();
  const committedAt = performance.now();
  const stillAt = await progress.untilStill(instances);
  return {
    secondsToFirstCommit: secondsSince(startedAt, firstAt),
    secondsToCommitted: secondsSince(startedAt, committedAt),
    secondsToStill: secondsSince(startedAt, Math.max(stillAt, committedAt)),
    eventsPerSecond: Math.round((events * 1000) / (committedAt - startedAt)),
    eventsPerSecondAtWork: Math.round(((events - first) * 1000) / (committedAt - firstAt)),
    cpuMicrosPerEvent: microsPerEvent(used, events),
    busyShare: busyShare(used),
    threads: Math.max(...instances.map(threadsOf)),
    processorPeakMiB: instances.reduce((sum, each) => sum + (peakMiB(each.process.pid ?? 0) ?? NaN), 0),
  };
}
