import { readSettings, serversOf } from "../../src/app/settings.ts";
import { peakMiB } from "./conditions.ts";
import { acquisitions, threadsOf, withInstances, type Instance } from "./instance.ts";
import { busyShare, microsPerEvent, openLedger, pidsOf } from "./ledger.ts";
import { openProgress, pollUntil, type Progress } from "./progress.ts";

export interface BacklogRun {
  /** Where the servers are, and settings of the processors besides. */
  readonly env: NodeJS.ProcessEnv;
  /** Of the stack, for its processes. */
  readonly dir: string;
  readonly applicationId: string;
  readonly instances: number;
  /** Input records that are in the topics, in all. */
  readonly events: number;
  /** Of these, committed by an earlier run of the application. Default: none. */
  readonly done?: number;
  /** Called where the measured part begins and where it ends, with the records that are committed by then. */
  readonly onEdge?: (instances: readonly Instance[], committed: number) => void;
}

export interface BacklogFigures {
  readonly eventsPerSecond: number;
  /** By process, and of `all`. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  /** Of the machine's cores. */
  readonly busyShare: number;
  /** Of each process. */
  readonly threads: number;
  /** Of all processes together. */
  readonly processorPeakMiB: number;
}

const START_MS = 60_000;
/** What is measured must be most of the backlog. */
const GREATEST_SHARE_BEFORE = 0.5;

/**
 * A backlog through `run` processes, exactly once: from the first commit at which every process has shards to the last. `inspect` is
 * called while they still run and nothing more comes out.
 */
export async function runBacklog<T>(
  run: BacklogRun,
  inspect: (instances: readonly Instance[]) => Promise<T>,
): Promise<BacklogFigures & { readonly inspected: T }> {
  const env = { ...run.env, CLIENTELA_APPLICATION_ID: run.applicationId };
  const progress = await openProgress(serversOf(readSettings(env)));
  try {
    return await withInstances(env, run.instances, async (instances) => {
      const first = await untilAllWork(run, instances, progress);
      const ledger = openLedger(pidsOf(run.dir, instances));
      run.onEdge?.(instances, first);
      await progress.untilCommitted(run.events, instances);
      const used = ledger();
      run.onEdge?.(instances, run.events);
      const events = run.events - first;
      // Deadlines that were due while the backlog was read are applied once it is behind.
      await progress.untilStill(instances);
      return {
        eventsPerSecond: Math.round(events / used.seconds),
        cpuMicros: microsPerEvent(used, events),
        busyShare: busyShare(used),
        threads: Math.max(...instances.map(threadsOf)),
        processorPeakMiB: instances.reduce((sum, each) => sum + (peakMiB(each.process.pid ?? 0) ?? NaN), 0),
        inspected: await inspect(instances),
      };
    });
  } finally {
    await progress.close();
  }
}

/** Resolves with the records that are committed once every process has shards and the first commit is done. */
async function untilAllWork(
  { events, done = 0 }: BacklogRun,
  instances: readonly Instance[],
  progress: Progress,
): Promise<number> {
  const isAtWork = ({ lines }: Instance): boolean => acquisitions(lines).length > 0;
  await pollUntil(instances, () => instances.every(isAtWork), Boolean, START_MS);
  const first = await pollUntil(
    instances,
    () => progress.committed(),
    (count) => count > done,
    START_MS,
  );
  if (first - done > (events - done) * GREATEST_SHARE_BEFORE)
    throw new Error(
      `${first - done} of ${events - done} events were done before every process was at work: too few to measure`,
    );
  return first;
}
