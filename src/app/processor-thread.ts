import { parentPort, workerData } from "node:worker_threads";
import { createLogger } from "../adapters/telemetry/logger.ts";
import { createMetrics } from "../adapters/telemetry/metrics.ts";
import { ClientelaError, RefusedError, UsageError } from "../pipeline/errors.ts";
import { startProcessor, type RunningProcessor } from "./compose-kafka.ts";
import type { FromThread, ThreadData, ThreadError, ToThread } from "./processor-threads.ts";
import { configuredPolicy, formerPolicies } from "./policy-file.ts";
import { readSettings, serversOf, shardOptionsOf } from "./settings.ts";

/**
 * States and records are small buffers by the thousand: with Node's 8 KiB, making the pools they are cut from costs more than
 * filling them.
 */
Buffer.poolSize = 262_144;

/** One member of the group in a thread of its own: started by `processor-threads.ts`, told and asked by messages. */

const port = parentPort;
if (port === null) throw new Error("this module runs as a worker thread");
const say = (message: FromThread): void => port.postMessage(message);

const { env, cacheBytes } = workerData as ThreadData;
const settings = readSettings(env);
const { telemetry, registry } = createMetrics();
let running: RunningProcessor | null = null;
let isStopping = false;
let leaving: Promise<void> | null = null;

port.on("message", (message: ToThread) => {
  switch (message.kind) {
    case "drain":
      isStopping = true;
      void drain();
      return;
    case "leave":
      void leave();
      return;
    case "ask":
      void answer(message.id);
  }
});

async function answer(id: number): Promise<void> {
  say({
    kind: "answer",
    id,
    troubles: running === null ? ["is starting"] : running.troubles(),
    shards: running?.processor.shards ?? [],
    metrics: await registry.getMetricsAsJSON(),
  });
}

async function drain(): Promise<void> {
  // Before it is started there is nothing to drain: `start` sees that it is to stop.
  if (running === null) return;
  say({ kind: "drained", abandoned: await running.processor.drain() });
}

/** May be asked for twice: by the thread that ends its start only now, and by the process that waits for it. */
function leave(): Promise<void> {
  leaving ??= running?.stop().then(end) ?? null;
  return leaving ?? Promise.resolve();
}

function end(): void {
  say({ kind: "stopped" });
  port?.close();
}

async function start(): Promise<void> {
  const started = await startProcessor({
    servers: serversOf(settings),
    policy: await configuredPolicy(settings.policyFile),
    formerPolicies: await formerPolicies(settings.formerPolicyFiles),
    logger: createLogger(settings.logLevel),
    telemetry,
    drainMs: settings.drainMs,
    sessionTimeoutMs: settings.sessionTimeoutMs,
    delivery: settings.delivery,
    shard: { ...shardOptionsOf(settings), cacheBytes },
  });
  running = started;
  if (isStopping) {
    await drain();
    await leave();
    return;
  }
  say({ kind: "started" });
  await started.ended;
}

function errorOf(error: unknown): ThreadError {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) return { type: "usage", code: error.code, problems: error.problems };
  if (error instanceof RefusedError) return { type: "refused", code: error.code, message };
  if (error instanceof ClientelaError) {
    return { type: "failed", code: error.code, message, retriable: error.retriable };
  }
  return { type: "bug", message: error instanceof Error ? (error.stack ?? message) : message };
}

start().catch(async (error: unknown) => {
  say({ kind: "failed", error: errorOf(error) });
  await running?.stop().catch(() => undefined);
  end();
});
