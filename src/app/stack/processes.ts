import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ClientelaError } from "../../pipeline/errors.ts";
import { accepts, freePort } from "./ports.ts";

/** One of the stack's servers while it runs. `startedAt` tells the process from a later one that got its number. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly port: number;
}

/** Starts a server that outlives this process, its output in `<name>.log`, and remembers it in `<name>.pid.json`. */
export function startChild(
  dir: string,
  name: string,
  port: number,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Child {
  const log = openSync(logFile(dir, name), "a");
  const child = spawn(command, args, { cwd: dir, env, detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  child.on("error", () => undefined);
  child.unref();
  if (child.pid === undefined) throw failed(dir, name, `${command} could not be started`);
  const started: Child = { name, pid: child.pid, startedAt: startTime(child.pid) ?? "", port };
  writeFileSync(pidFile(dir, name), JSON.stringify(started));
  return started;
}

/** The server as it was last started from this folder, if it still runs. */
export function findChild(dir: string, name: string): Child | null {
  const child = readPidFile(dir, name);
  return child !== null && isAlive(child) ? child : null;
}

/**
 * The port for a server: the one it had before, so that a restart keeps its address, unless somebody else has taken it. `another`: that
 * one turned out to be taken although nobody answers there, as by a connection of somebody else.
 */
export async function portFor(dir: string, name: string, another: boolean): Promise<number> {
  const last = readPidFile(dir, name)?.port;
  return last === undefined || another || (await accepts(last)) ? freePort() : last;
}

/** How the servers say that a port of theirs is somebody else's: Kafka, Redis, the registry. */
const PORT_TAKEN = /BindException|Address already in use|Port \d+ seems to be in use/;

/**
 * Starts a server and waits until it is ready; once more on `another` port when it ended because somebody had taken one of its own.
 * Throws as `ready` does.
 */
export async function startUntilReady(
  dir: string,
  name: string,
  start: (another: boolean) => Promise<Child>,
  ready: (child: Child) => Promise<void>,
): Promise<Child> {
  const before = logText(dir, name).length;
  const first = await start(false);
  try {
    await ready(first);
    return first;
  } catch (error) {
    if (isAlive(first) || !PORT_TAKEN.test(logText(dir, name).slice(before))) throw error;
  }
  const second = await start(true);
  await ready(second);
  return second;
}

/** null: none, or one that a crash left half written. */
function readPidFile(dir: string, name: string): Child | null {
  try {
    return JSON.parse(readFileSync(pidFile(dir, name), "utf8")) as Child;
  } catch {
    return null;
  }
}

/** Stops a server and waits until it is gone; after `graceMs` it is killed. */
export async function stopChild(dir: string, child: Child, graceMs: number): Promise<void> {
  if (isAlive(child)) process.kill(child.pid, "SIGTERM");
  const deadline = Date.now() + graceMs;
  while (isAlive(child)) {
    if (Date.now() > deadline) {
      process.kill(child.pid, "SIGKILL");
      break;
    }
    await sleep(50);
  }
  rmSync(pidFile(dir, child.name), { force: true });
}

export function isAlive(child: Child): boolean {
  const startedAt = startTime(child.pid);
  return startedAt !== null && startedAt === child.startedAt;
}

/** Waits until `isReady` holds. Throws with the server's last log lines when it ends before, or takes too long. */
export async function waitUntilReady(
  dir: string,
  child: Child,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
  isReady: () => Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    throwIfInterrupted(signal);
    if (!isAlive(child)) throw failed(dir, child.name, "ended while it was starting");
    if (await isReady().catch(() => false)) return;
    if (Date.now() > deadline) throw failed(dir, child.name, `did not answer within ${timeoutMs / 1000} s`);
    await sleep(100);
  }
}

/** Who no longer waits for the servers leaves them as they are: they may be on their way up. */
export function throwIfInterrupted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new ClientelaError("INTERRUPTED", "stopped waiting; what was started goes on, 'stack down' ends it", {
    retriable: false,
  });
}

function failed(dir: string, name: string, what: string): ClientelaError {
  const lines = logText(dir, name).trimEnd().split("\n").slice(-8).join("\n");
  return new ClientelaError("STACK_FAILED", `${name} ${what}; the end of ${logFile(dir, name)}:\n${lines}`, {
    retriable: false,
  });
}

function logText(dir: string, name: string): string {
  const log = logFile(dir, name);
  return existsSync(log) ? readFileSync(log, "utf8") : "";
}

function logFile(dir: string, name: string): string {
  return join(dir, `${name}.log`);
}

function pidFile(dir: string, name: string): string {
  return join(dir, `${name}.pid.json`);
}

/** Start time of a process as the kernel counts it; null when there is none. Without /proc the process is taken by its number. */
export function startTime(pid: number): string | null {
  if (!existsSync("/proc/self/stat")) {
    try {
      process.kill(pid, 0);
      return "alive";
    } catch {
      return null;
    }
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
