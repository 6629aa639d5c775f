import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Admin } from "kafkajs";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { kafkaClient } from "../../src/app/compose-kafka.ts";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import { cpuSeconds } from "./conditions.ts";
import { serverPids } from "./ledger.ts";
import type { Stage } from "./stage.ts";

export interface PeerSize {
  readonly events: number;
  readonly customers: number;
  readonly partitions: number;
}

export interface PeerFigures {
  readonly eventsPerSecond: number;
  /** Of the program by its own account, of the broker by ours, and of `all`. */
  readonly cpuMicrosPerEvent: Readonly<Record<"program" | "kafka" | "all", number>>;
  readonly changesPerEvent: number;
}

/** What the peer prints when it is done, on one line. */
interface PeerLine {
  readonly events: number;
  readonly seconds: number;
  readonly events_per_s: number;
  readonly cpu_us_per_event: number;
  readonly changes: number;
}

/** A line, and the moment it came (performance.now()). */
interface Told {
  readonly line: PeerLine;
  readonly cameAt: number;
}

const SAMPLE_MS = 50;

/** CPU seconds of a process at a moment (performance.now()). */
export interface Sample {
  readonly at: number;
  readonly cpu: number;
}

/**
 * Runs a peer program, `run.sh BROKERS EVENTS CUSTOMERS PARTITIONS` in `folder`: it fills a topic of its own, works through it, and
 * prints one JSON line with `events`, `seconds`, `events_per_s`, `cpu_us_per_event` and `changes` the moment it is done. Takes away
 * what it leaves on the broker, so that every run begins anew. The broker's part is its CPU over the `seconds` before that line.
 */
export async function runPeer(folder: string, { env, dir }: Stage, size: PeerSize): Promise<PeerFigures> {
  const servers = serversOf(readSettings(env));
  const admin = kafkaClient(servers, createLogger("error")).admin();
  await admin.connect();
  const pid = serverPids(dir)["kafka"] ?? 0;
  const samples: Sample[] = [];
  const sampling = setInterval(
    () => samples.push({ at: performance.now(), cpu: cpuSeconds(pid) }),
    SAMPLE_MS,
  );
  try {
    return await leavingNothing(admin, async () => {
      const { events, customers, partitions } = size;
      const { line, cameAt } = await runOnce(folder, [
        servers.brokers.join(","),
        events,
        customers,
        partitions,
      ]);
      const brokerSeconds = cpuAt(samples, cameAt) - cpuAt(samples, cameAt - line.seconds * 1000);
      return figuresOf(line, brokerSeconds);
    });
  } finally {
    clearInterval(sampling);
    await admin.disconnect();
  }
}

/** Deletes the topics that the work has brought: changelogs of one run are none of the next one's. Its group ends by itself. */
async function leavingNothing<T>(admin: Admin, work: () => Promise<T>): Promise<T> {
  const before = new Set(await admin.listTopics());
  try {
    return await work();
  } finally {
    const isLeft = (topic: string): boolean => !before.has(topic) && !topic.startsWith("__");
    await admin.deleteTopics({ topics: (await admin.listTopics()).filter(isLeft) });
  }
}

async function runOnce(folder: string, args: readonly (string | number)[]): Promise<Told> {
  const child = spawn(join(folder, "run.sh"), args.map(String), { stdio: ["ignore", "pipe", "inherit"] });
  const told: Told[] = [];
  createInterface({ input: child.stdout }).on("line", (text) => {
    if (text.startsWith("{")) told.push({ line: JSON.parse(text) as PeerLine, cameAt: performance.now() });
  });
  const [code] = (await once(child, "close")) as [number | null];
  const [first] = told;
  if (code !== 0 || first === undefined)
    throw new Error(`the peer ended with ${String(code)} and ${told.length} lines of figures`);
  return first;
}

function figuresOf(line: PeerLine, brokerSeconds: number): PeerFigures {
  const kafka = (brokerSeconds * 1e6) / line.events;
  const rounded = (value: number): number => Math.round(value * 10) / 10;
  return {
    eventsPerSecond: Math.round(line.events_per_s),
    cpuMicrosPerEvent: {
      program: rounded(line.cpu_us_per_event),
      kafka: rounded(kafka),
      all: rounded(line.cpu_us_per_event + kafka),
    },
    changesPerEvent: Math.round((100 * line.changes) / line.events) / 100,
  };
}

/** Between two samples it grows evenly. Throws when the moment is not between two. */
export function cpuAt(samples: readonly Sample[], at: number): number {
  const next = samples.findIndex((sample) => sample.at >= at);
  const [before, after] = [samples[next - 1], samples[next]];
  if (before === undefined || after === undefined)
    throw new Error("no samples of the CPU around that moment");
  return before.cpu + ((at - before.at) / (after.at - before.at)) * (after.cpu - before.cpu);
}
