import { accessSync, constants, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UsageError } from "../../pipeline/errors.ts";
import { bringArtifacts, type Artifacts } from "./artifacts.ts";
import { startKafka, type KafkaListener } from "./kafka-server.ts";
import { accepts } from "./ports.ts";
import {
  findChild,
  portFor,
  startChild,
  startTime,
  startUntilReady,
  stopChild,
  throwIfInterrupted,
  waitUntilReady,
  type Child,
} from "./processes.ts";

/** Where the servers answer, under the names that every command reads. */
export interface Endpoints {
  readonly KAFKA_BROKERS: string;
  readonly SCHEMA_REGISTRY_URL: string;
  readonly REDIS_URL: string;
}

export const PARTS = ["kafka", "registry", "redis"] as const;
export type Part = (typeof PARTS)[number];

/** A part of the stack as it is now. */
export interface PartStatus {
  readonly part: Part;
  readonly pid: number | null;
  readonly endpoint: string | null;
}

const READY_MS = 60_000;
const STOP_MS = 15_000;
const NEVER = new AbortController().signal;

/**
 * Starts the real servers as child processes that outlive this one, data and logs in `dir`, loopback only (A9). Finds those that
 * already run; starts a part that has ended again, on its data and its port. Resolves when all answer.
 */
export async function stackUp(
  dir: string,
  onProgress: (text: string) => void,
  signal: AbortSignal = NEVER,
): Promise<Endpoints> {
  makeFolder(dir);
  return withLock(dir, signal, async () => {
    const [kafka, registry, redis] = await startMissing(dir, onProgress, signal);
    return {
      KAFKA_BROKERS: `127.0.0.1:${kafka.port}`,
      SCHEMA_REGISTRY_URL: registryUrl(registry),
      REDIS_URL: `redis://127.0.0.1:${redis.port}`,
    };
  });
}

/**
 * Starts one part alone, on the data and the port it had in `dir`, and waits until it answers: for tests that take the servers
 * down one by one. `listeners`: further addresses of the broker, each with the port that it tells clients to come to.
 */
export async function startPart(
  dir: string,
  part: Part,
  artifacts: Artifacts,
  listeners: readonly KafkaListener[] = [],
): Promise<Child> {
  makeFolder(dir);
  return startReady(dir, part, artifacts, NEVER, listeners);
}

function startReady(
  dir: string,
  part: Part,
  artifacts: Artifacts,
  signal: AbortSignal,
  listeners: readonly KafkaListener[] = [],
): Promise<Child> {
  return startUntilReady(
    dir,
    part,
    (another) => STARTS[part](dir, artifacts, another, listeners),
    (child) => untilReady(dir, child, signal),
  );
}

const STARTS = { kafka: startKafka, registry: startRegistry, redis: startRedis } as const;

function untilReady(dir: string, child: Child, signal: AbortSignal): Promise<void> {
  const isReady = (): Promise<boolean> =>
    child.name === "registry" ? answers(`${registryUrl(child)}/subjects`) : accepts(child.port);
  return waitUntilReady(dir, child, { timeoutMs: READY_MS, signal }, isReady);
}

/** The three servers when all answer: those that run, and those that had to be started. A stack that runs whole needs nothing brought. */
function startMissing(
  dir: string,
  onProgress: (text: string) => void,
  signal: AbortSignal,
): Promise<[kafka: Child, registry: Child, redis: Child]> {
  let brought: Promise<Artifacts> | null = null;
  const ready = async (part: Part): Promise<Child> => {
    const running = findChild(dir, part);
    if (running === null) {
      brought ??= bringArtifacts(onProgress);
      return startReady(dir, part, await brought, signal);
    }
    await untilReady(dir, running, signal);
    return running;
  };
  return Promise.all([ready("kafka"), ready("registry"), ready("redis")]);
}

function makeFolder(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
    accessSync(dir, constants.W_OK);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError("STACK_FOLDER", [`${dir} can't be used for the stack: ${why}`]);
  }
}

/** Stops just the servers started from this folder; their data stays. Returns the parts that were stopped. */
export async function stackDown(dir: string): Promise<Part[]> {
  const running = PARTS.map((part) => findChild(dir, part)).filter((child) => child !== null);
  await Promise.all(running.map((child) => stopChild(dir, child, STOP_MS)));
  return running.map(({ name }) => name as Part);
}

export function stackStatus(dir: string): PartStatus[] {
  return PARTS.map((part) => {
    const child = findChild(dir, part);
    if (child === null) return { part, pid: null, endpoint: null };
    const endpoint = part === "registry" ? registryUrl(child) : `127.0.0.1:${child.port}`;
    return { part, pid: child.pid, endpoint };
  });
}

async function startRegistry(dir: string, { registryDir }: Artifacts, another: boolean): Promise<Child> {
  const port = await portFor(dir, "registry", another);
  const jar = join(registryDir, "apicurio-registry-app-2.6.13.Final-runner.jar");
  // H2 takes a path that is not absolute for a mistake.
  const database = resolve(dir, "registry-data");
  return startChild(
    dir,
    "registry",
    port,
    "java",
    [
      "-Xmx256m",
      `-Dquarkus.http.host=127.0.0.1`,
      `-Dquarkus.http.port=${port}`,
      `-Dquarkus.datasource.jdbc.url=jdbc:h2:file:${database};NON_KEYWORDS=VALUE;WRITE_DELAY=0`,
      "-Dquarkus.log.level=WARN",
      "-jar",
      jar,
    ],
    process.env,
  );
}

async function startRedis(dir: string, { redisServer }: Artifacts, another: boolean): Promise<Child> {
  const port = await portFor(dir, "redis", another);
  const data = join(dir, "redis-data");
  mkdirSync(data, { recursive: true });
  const args = [
    "--bind",
    "127.0.0.1",
    "--port",
    String(port),
    "--dir",
    data,
    "--appendonly",
    "yes",
    "--appendfsync",
    "everysec",
  ];
  return startChild(
    dir,
    "redis",
    port,
    redisServer,
    [...args, "--maxmemory-policy", "noeviction", "--save", ""],
    process.env,
  );
}

function registryUrl({ port }: Child): string {
  return `http://127.0.0.1:${port}/apis/ccompat/v7`;
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  await response.arrayBuffer();
  return response.ok;
}

/** Two commands at once start each server once: the second waits for the first. A lock whose owner is gone counts for nothing. */
async function withLock<T>(dir: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const lock = join(dir, "lock");
  const owner: LockOwner = { pid: process.pid, startedAt: startTime(process.pid) };
  for (;;) {
    try {
      writeFileSync(lock, JSON.stringify(owner), { flag: "wx" });
      break;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
      throwIfInterrupted(signal);
      if (!isLockHeld(lock)) rmSync(lock, { force: true });
      else await sleep(200);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

interface LockOwner {
  readonly pid: number;
  readonly startedAt: string | null;
}

/** An unreadable lock is being written just now, or was left so by a crash. */
const LOCK_WRITE_MS = 2000;

function isLockHeld(lock: string): boolean {
  try {
    const { pid, startedAt } = JSON.parse(readFileSync(lock, "utf8")) as LockOwner;
    return startTime(pid) === startedAt;
  } catch {
    const written = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    return Date.now() - written < LOCK_WRITE_MS;
  }
}
