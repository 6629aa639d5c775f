import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from "prom-client";
import { ClientelaError, RefusedError, UsageError } from "../pipeline/errors.ts";
import { collectorFlags, planMemory, type MemoryPlan } from "./memory-plan.ts";
import type { Settings } from "./settings.ts";

export type ToThread =
  { readonly kind: "drain" } | { readonly kind: "leave" } | { readonly kind: "ask"; readonly id: number };

type Metrics = MetricObjectWithValues<MetricValue<string>>[];

export type FromThread =
  | { readonly kind: "started" }
  | { readonly kind: "failed"; readonly error: ThreadError }
  | { readonly kind: "drained"; readonly abandoned: readonly number[] }
  | { readonly kind: "stopped" }
  | ({ readonly kind: "answer"; readonly id: number } & ThreadState);

/** An error that has crossed threads: its class does not. */
export type ThreadError =
  | { readonly type: "usage"; readonly code: string; readonly problems: readonly string[] }
  | { readonly type: "refused"; readonly code: string; readonly message: string }
  | { readonly type: "failed"; readonly code: string; readonly message: string; readonly retriable: boolean }
  | { readonly type: "bug"; readonly message: string };

export interface ThreadState {
  readonly troubles: readonly string[];
  readonly shards: readonly number[];
  readonly metrics: Metrics;
}

/** The threads of one process; each is a member of the group with shards of its own. */
export interface ProcessorThreads {
  /** Resolves when every thread has joined the group. */
  readonly started: Promise<void>;
  /** Rejects with the first error that ends a thread. */
  readonly ended: Promise<never>;
  /** What keeps them from being ready. */
  troubles(): Promise<string[]>;
  shards(): Promise<number[]>;
  /** All threads' metrics, and those given, as one Prometheus text. */
  metrics(own: Metrics): Promise<{ readonly contentType: string; readonly body: string }>;
  /**
   * Each finishes its running commits; when all have, or `drainMs` is over, all leave the group at once, so that it shares out their
   * shards in one go. A thread that has not come to its end `leaveMs` later is ended where it is.
   */
  stop(drainMs: number, leaveMs: number): Promise<Stopped>;
}

/** What was given up to stop in time: void, and found by the next owner as after a crash (A4). */
export interface Stopped {
  /** Shards that were still busy. */
  readonly abandoned: readonly number[];
  /** Threads that had to be ended. */
  readonly ended: number;
}

/** A busy thread answers between two batches; a probe must not wait longer. */
const ANSWER_MS = 2_000;
/** Beyond the drain time: to say goodbye to the brokers, and to be heard of a busy event loop. */
const DRAIN_MARGIN_MS = 1_500;
/** A thread that has stopped ends by itself, or after so long is ended. */
const EXIT_MS = 1_000;
interface Thread {
  readonly worker: Worker;
  readonly exited: Promise<void>;
  readonly asked: Map<number, (state: ThreadState) => void>;
  readonly drained: Promise<readonly number[]>;
  isStopping: boolean;
  hasExited: boolean;
}

/** What a thread begins with. */
export interface ThreadData {
  /** The settings, as every thread reads them. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cacheBytes: number;
}

/** Starts the threads. Throws UsageError when their memory is not there. */
export function startProcessorThreads(
  { threads: count, cacheMiB }: Pick<Settings, "threads" | "cacheMiB">,
  env: ThreadData["env"],
): ProcessorThreads {
  let fail: (error: unknown) => void = () => undefined;
  const ended = new Promise<never>((_, reject) => (fail = reject));
  ended.catch(() => undefined);
  let starting = count;
  let allStarted: () => void = () => undefined;
  const started = Promise.race([new Promise<void>((resolve) => (allStarted = resolve)), ended]);
  started.catch(() => undefined);
  const onStarted = (): void => {
    if (--starting === 0) allStarted();
  };
  const plan = planMemory(count, cacheMiB);
  for (const flag of collectorFlags(plan)) setFlagsFromString(flag);
  const threads = Array.from({ length: count }, () => startThread(env, plan, onStarted, fail));
  let nextId = 0;

  const ask = (thread: Thread): Promise<ThreadState | null> => {
    if (thread.hasExited) return Promise.resolve(null);
    const id = nextId++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(null), ANSWER_MS);
      const settle = (state: ThreadState | null): void => {
        clearTimeout(timer);
        thread.asked.delete(id);
        resolve(state);
      };
      thread.asked.set(id, settle);
      send(thread, { kind: "ask", id });
    });
  };
  const askAll = (): Promise<(ThreadState | null)[]> => Promise.all(threads.map(ask));

  return {
    started,
    ended,
    troubles: async () =>
      (await askAll()).flatMap((state, i) =>
        (state?.troubles ?? ["does not answer"]).map((text) =>
          count === 1 ? text : `thread ${i + 1}: ${text}`,
        ),
      ),
    shards: async () => (await askAll()).flatMap((state) => state?.shards ?? []).sort((a, b) => a - b),
    metrics: async (own) => {
      const answered = (await askAll()).filter((state) => state !== null);
      const registry = AggregatorRegistry.aggregate([own, ...answered.map(({ metrics }) => metrics)]);
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
    stop: async (drainMs, leaveMs) => {
      for (const thread of threads) {
        thread.isStopping = true;
        send(thread, { kind: "drain" });
      }
      const over = new AbortController();
      const abandoned = (
        await Promise.all(
          threads.map(({ drained, exited }) =>
            Promise.race([
              drained,
              // One that is starting has nothing to drain, and leaves by itself as soon as it can.
              exited.then(() => []),
              sleep(drainMs + DRAIN_MARGIN_MS, [], { signal: over.signal }).catch(() => []),
            ]),
          ),
        )
      ).flat();
      over.abort();
      for (const thread of threads) send(thread, { kind: "leave" });
      let ended = 0;
      const patience = setTimeout(() => {
        for (const { hasExited, worker } of threads) {
          if (hasExited) continue;
          ended++;
          void worker.terminate();
        }
      }, leaveMs);
      await Promise.all(threads.map(({ exited }) => exited));
      clearTimeout(patience);
      return { abandoned, ended };
    },
  };
}

function startThread(
  env: ThreadData["env"],
  { heapMiB, youngMiB, cacheMiB }: MemoryPlan,
  onStarted: () => void,
  fail: (error: unknown) => void,
): Thread {
  // As source it ends in .ts, as built in .js.
  const module = new URL(`./processor-thread${extname(import.meta.filename)}`, import.meta.url);
  const workerData: ThreadData = { env, cacheBytes: cacheMiB * 2 ** 20 };
  const worker = new Worker(module, {
    workerData,
    resourceLimits: { maxYoungGenerationSizeMb: youngMiB, maxOldGenerationSizeMb: heapMiB },
  });
  let onDrained: (abandoned: readonly number[]) => void = () => undefined;
  const thread: Thread = {
    worker,
    asked: new Map(),
    drained: new Promise((resolve) => (onDrained = resolve)),
    isStopping: false,
    hasExited: false,
    exited: new Promise((resolve) => {
      worker.once("exit", (code) => {
        thread.hasExited = true;
        // Whatever ends a thread is told before this; nobody listens to a second failure.
        if (!thread.isStopping) fail(new Error(`a processor thread ended by itself, with ${code}`));
        resolve();
      });
    }),
  };
  worker.on("message", (message: FromThread) => {
    switch (message.kind) {
      case "started":
        onStarted();
        return;
      case "failed":
        fail(errorFrom(message.error));
        return;
      case "answer":
        thread.asked.get(message.id)?.(message);
        return;
      case "drained":
        onDrained(message.abandoned);
        return;
      case "stopped":
        // All is committed; a connection that nobody ended must not keep the process.
        setTimeout(() => void worker.terminate(), EXIT_MS).unref();
    }
  });
  worker.on("error", fail);
  return thread;
}

function send(thread: Thread, message: ToThread): void {
  if (!thread.hasExited) thread.worker.postMessage(message);
}

function errorFrom(error: ThreadError): Error {
  switch (error.type) {
    case "usage":
      return new UsageError(error.code, error.problems);
    case "refused":
      return new RefusedError(error.code, error.message);
    case "failed":
      return new ClientelaError(error.code, error.message, { retriable: error.retriable });
    case "bug":
      return new Error(error.message);
  }
}
