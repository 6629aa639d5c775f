import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { kafkaClient } from "../../src/app/compose-kafka.ts";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import { stackDown, stackStatus, stackUp } from "../../src/app/stack/stack.ts";
import { FACT_TOPICS } from "../../src/domain/events.ts";
import { cpuSeconds, median, peakMiB } from "./conditions.ts";
import { fillTopics } from "./fill-topics.ts";
import type { BenchSize } from "./main.ts";
import { stateBytes } from "./redis-bytes.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const POLL_MS = 100;

interface Run {
  readonly eventsPerSecond: number;
  /** CPU microseconds an event, by process. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  readonly processorPeakMiB: number;
  readonly bytesPerCustomer: number;
}

/**
 * A backlog of all four topics through one `run` process, exactly once, from its first committed offset to its last: broker,
 * registry and Redis on the same machine. Each run is a fresh application id on the same topics.
 */
export async function benchLive(
  { events, customers, runs }: BenchSize,
  say: (text: string) => void,
): Promise<object> {
  const dir = mkdtempSync(join(tmpdir(), "clientela-bench-"));
  const endpoints = await stackUp(dir, say);
  try {
    const env = { ...process.env, ...endpoints };
    const settings = readSettings(env);
    const servers = serversOf(settings);
    await fillTopics({ servers, dir, partitions: 8, events, customers }, say);
    const measured: Run[] = [];
    for (let run = 0; run < runs; run++) {
      const figures = await liveOnce(env, dir, `bench-${run}`, events);
      say(`live, run ${run + 1}: ${JSON.stringify(figures)}`);
      measured.push(figures);
    }
    const of = (figure: (run: Run) => number): number => Math.round(median(measured.map(figure)) * 10) / 10;
    return {
      eventsPerSecond: of((run) => run.eventsPerSecond),
      cpuMicrosPerEvent: Object.fromEntries(
        Object.keys(measured[0]?.cpuMicros ?? {}).map((name) => [
          name,
          of((run) => run.cpuMicros[name] ?? NaN),
        ]),
      ),
      processorPeakMiB: of((run) => run.processorPeakMiB),
      redisBytesPerCustomer: of((run) => run.bytesPerCustomer),
    };
  } finally {
    await stackDown(dir);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function liveOnce(
  env: NodeJS.ProcessEnv,
  dir: string,
  applicationId: string,
  events: number,
): Promise<Run> {
  const figures = await backlogRun(env, dir, applicationId, events);
  const bytes = await stateBytes(String(env["REDIS_URL"]), applicationId);
  return { ...figures, bytesPerCustomer: Math.round(bytes.bytes / bytes.customers) };
}

/** Where the measured part of a backlog begins and ends: records that are committed by then. */
export type OnEdge = (pid: number, committed: number) => void;

/** One `run` process through the backlog, under an application id of its own. */
export async function backlogRun(
  env: NodeJS.ProcessEnv,
  dir: string,
  applicationId: string,
  events: number,
  onEdge: OnEdge = () => undefined,
): Promise<Omit<Run, "bytesPerCustomer">> {
  const runEnv = {
    ...env,
    CLIENTELA_APPLICATION_ID: applicationId,
    CLIENTELA_HTTP_PORT: "0",
    CLIENTELA_LOG_LEVEL: "warn",
  };
  const servers = serversOf(readSettings(runEnv));
  const admin = kafkaClient(servers, createLogger("error")).admin();
  await admin.connect();
  const processor = spawn(process.execPath, [...(env["BENCH_NODE_ARGS"]?.split(" ") ?? []), MAIN, "run"], {
    env: runEnv,
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    const pids = pidsOf(dir, processor);
    const committed = async (): Promise<number> => {
      const topics = FACT_TOPICS.filter((topic) => topic !== "referrals");
      const answers = await admin
        .fetchOffsets({ groupId: applicationId, topics: topics.map((topic) => servers.topicPrefix + topic) })
        .catch(whileUnknown);
      return answers
        .flatMap(({ partitions }) => partitions)
        .reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
    };
    const first = await until(processor, committed, (count) => count > 0);
    const before = usage(pids);
    onEdge(processor.pid ?? 0, first);
    const startedAt = performance.now();
    await until(processor, committed, (count) => count >= events);
    const seconds = (performance.now() - startedAt) / 1000;
    const after = usage(pids);
    onEdge(processor.pid ?? 0, events);
    const done = events - first;
    const cpuMicros: Record<string, number> = {};
    let all = 0;
    for (const name of Object.keys(pids)) {
      const micros = (((after[name] ?? 0) - (before[name] ?? 0)) * 1e6) / done;
      cpuMicros[name] = Math.round(micros * 10) / 10;
      all += micros;
    }
    cpuMicros["all"] = Math.round(all * 10) / 10;
    // Deadlines that were due while the backlog was read are applied once it is behind.
    await sleep(5_000);
    return {
      eventsPerSecond: Math.round(done / seconds),
      cpuMicros,
      processorPeakMiB: peakMiB(processor.pid ?? 0) ?? NaN,
    };
  } finally {
    processor.kill("SIGTERM");
    if (processor.exitCode === null) await once(processor, "exit");
    await admin.disconnect();
  }
}

/** A fresh group has no coordinator for a moment. */
function whileUnknown(error: unknown): [] {
  if (error instanceof Error && "retriable" in error && error.retriable === true) return [];
  throw error;
}

function pidsOf(dir: string, processor: ChildProcess): Record<string, number> {
  const pids: Record<string, number> = { processor: processor.pid ?? 0 };
  for (const { part, pid } of stackStatus(dir)) if (part !== "registry" && pid !== null) pids[part] = pid;
  return pids;
}

function usage(pids: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));
}

async function until(
  processor: ChildProcess,
  ask: () => Promise<number>,
  holds: (count: number) => boolean,
): Promise<number> {
  for (;;) {
    if (processor.exitCode !== null) throw new Error(`the processor ended with ${processor.exitCode}`);
    const count = await ask();
    if (holds(count)) return count;
    await sleep(POLL_MS);
  }
}
