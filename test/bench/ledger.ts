import { cpus } from "node:os";
import { stackStatus } from "../../src/app/stack/stack.ts";
import { cpuSeconds } from "./conditions.ts";
import type { Instance } from "./instance.ts";

/** Process ids by what they are. */
type Pids = Readonly<Record<string, number>>;

/** What a stretch of time took, by process. */
export interface Ledger {
  readonly seconds: number;
  /** User and system, of all the process's threads. */
  readonly cpuSeconds: Readonly<Record<string, number>>;
}

/** The processors and the servers that they work with. The registry is asked a few times at the start and left out. */
export function pidsOf(dir: string, instances: readonly Instance[]): Pids {
  const pids: Record<string, number> = {};
  for (const [i, { process: child }] of instances.entries()) {
    pids[instances.length === 1 ? "processor" : `processor${i + 1}`] = child.pid ?? 0;
  }
  return { ...pids, ...serverPids(dir) };
}

export function serverPids(dir: string): Pids {
  return Object.fromEntries(
    stackStatus(dir).flatMap(({ part, pid }) => (part === "registry" || pid === null ? [] : [[part, pid]])),
  );
}

/** Begins to count; the function it returns tells what has been used since, as often as it is called. */
export function openLedger(pids: Pids): () => Ledger {
  const usage = (): Record<string, number> =>
    Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));
  const before = usage();
  const startedAt = performance.now();
  return () => {
    const after = usage();
    return {
      seconds: (performance.now() - startedAt) / 1000,
      cpuSeconds: Object.fromEntries(
        Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)]),
      ),
    };
  };
}

/** CPU microseconds an event, by process and of `all`. */
export function microsPerEvent(ledger: Ledger, events: number): Record<string, number> {
  const micros = Object.fromEntries(
    Object.entries(ledger.cpuSeconds).map(([name, seconds]) => [name, rounded((seconds * 1e6) / events)]),
  );
  return { ...micros, all: rounded((totalSeconds(ledger) * 1e6) / events) };
}

/** Share of the machine's cores that the processes of the ledger kept busy: 1 leaves nothing to be had. */
export function busyShare(ledger: Ledger): number {
  return Math.round((100 * totalSeconds(ledger)) / (ledger.seconds * cpus().length)) / 100;
}

function totalSeconds({ cpuSeconds: by }: Ledger): number {
  return Object.values(by).reduce((sum, seconds) => sum + seconds, 0);
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
