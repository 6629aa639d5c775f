import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const START_MS = 60_000;

/** A line of the log of `run`. */
export interface LogLine {
  /** ms since the epoch. */
  readonly at: number;
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One `run` process, whose log is kept. */
export interface Instance {
  readonly process: ChildProcess;
  readonly lines: readonly LogLine[];
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** The process ends by itself only when something is wrong: what it said last, for people. */
  lastWords(): string;
  /** A metric as it is now, by its name with its labels, if it has any; null when the process does not answer or has none. */
  metric(name: string): Promise<number | null>;
  /** Resolves when every shard it has runs, by its own account. */
  ready(): Promise<void>;
}

/** Starts processors of one application for a piece of work; whatever happens, all have ended in order when it is over. */
export async function withInstances<T>(
  env: NodeJS.ProcessEnv,
  count: number,
  work: (instances: readonly Instance[]) => Promise<T>,
): Promise<T> {
  const instances = Array.from({ length: count }, () => startInstance(env));
  try {
    return await work(instances);
  } finally {
    await endAll(instances);
  }
}

export async function endAll(instances: Iterable<Instance>): Promise<void> {
  const all = [...instances];
  for (const instance of all) instance.process.kill("SIGTERM");
  await Promise.all(all.map(({ ended }) => ended));
}

/** Threads that an instance has said it starts. */
export function threadsOf({ lines }: Instance): number {
  return Number(lines.find(({ msg }) => msg === "starting")?.fields["threads"]);
}

export function startInstance(env: NodeJS.ProcessEnv): Instance {
  const nodeArgs = env["BENCH_NODE_ARGS"]?.split(" ") ?? [];
  const child = spawn(process.execPath, [...nodeArgs, MAIN, "run"], {
    env: { ...env, CLIENTELA_HTTP_PORT: "0", CLIENTELA_LOG_LEVEL: "info" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lines: LogLine[] = [];
  const other: string[] = [];
  createInterface({ input: child.stderr }).on("line", (text) => {
    const line = logLine(text);
    if (line === null) other.push(text);
    else lines.push(line);
  });
  const ended = once(child, "close").then(
    ([code, signal]) => (code ?? signal) as number | NodeJS.Signals | null,
  );
  const lastWords = (): string =>
    [
      ...lines.slice(-3).map(({ msg, fields }) => `${msg} ${JSON.stringify(fields)}`),
      ...other.slice(-5),
    ].join("\n");
  const get = async (path: string): Promise<{ ok: boolean; body: string } | null> => {
    const http = lines.find(({ msg }) => msg === "starting")?.fields["http"];
    if (typeof http !== "string") return null;
    const answer = await fetch(http + path).catch(() => null);
    return answer === null ? null : { ok: answer.ok, body: await answer.text() };
  };
  return {
    process: child,
    lines,
    ended,
    lastWords,
    async metric(name) {
      const line = (await get("/metrics"))?.body.split("\n").find((each) => each.startsWith(`${name} `));
      return line === undefined ? null : Number(line.split(" ")[1]);
    },
    async ready() {
      const deadline = Date.now() + START_MS;
      for (;;) {
        if (child.exitCode !== null) throw new Error(`a processor ended:\n${lastWords()}`);
        if (Date.now() > deadline) throw new Error(`a processor is not ready in time:\n${lastWords()}`);
        if ((await get("/readyz"))?.ok === true) return;
        await sleep(50);
      }
    },
  };
}

function logLine(text: string): LogLine | null {
  if (!text.startsWith("{")) return null;
  try {
    const { time, msg, ...fields } = JSON.parse(text) as Record<string, unknown>;
    return { at: Date.parse(String(time)), msg: String(msg), fields };
  } catch {
    return null;
  }
}

/** Shards whose take-over was logged, with the instant. */
export function acquisitions(lines: readonly LogLine[]): { readonly shard: number; readonly at: number }[] {
  return lines
    .filter(({ msg }) => msg === "shard acquired")
    .map(({ at, fields }) => ({ shard: Number(fields["shard"]), at }));
}
