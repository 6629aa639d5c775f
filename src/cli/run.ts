import { once } from "node:events";
import { Command } from "commander";
import { startHttpServer } from "../adapters/http/server.ts";
import { createLogger } from "../adapters/telemetry/logger.ts";
import { createProcessMetrics } from "../adapters/telemetry/metrics.ts";
import { configuredPolicy, formerPolicies } from "../app/policy-file.ts";
import { startProcessorThreads, type ProcessorThreads, type Stopped } from "../app/processor-threads.ts";
import { readSettings, settingsHelp, type Settings } from "../app/settings.ts";
import { ClientelaError } from "../pipeline/errors.ts";
import type { CommandContext } from "./context.ts";

export function runCommand(context: CommandContext): Command {
  return new Command("run")
    .description(
      "The processor: reads facts from Kafka, keeps states in Redis, publishes changes, until SIGTERM.",
    )
    .addHelpText(
      "after",
      `\nSettings (environment, default in brackets):\n${settingsHelp()}\n\nExample: KAFKA_BROKERS=broker:9092 REDIS_URL=redis://cache:6379 clientela run`,
    )
    .action(() => run(readSettings(context.env), context));
}

/** After the running commits, leaving the group and closing connections may take so long. */
const LEAVE_MS = 5_000;

async function run(settings: Settings, { env, signal }: CommandContext): Promise<void> {
  // Checked here too: mistakes are told before anything starts.
  const policy = await configuredPolicy(settings.policyFile);
  await formerPolicies(settings.formerPolicyFiles);
  const logger = createLogger(settings.logLevel);
  const own = createProcessMetrics();
  let threads: ProcessorThreads | null = null;
  let stopped: Stopped = { abandoned: [], ended: 0 };
  // First: a port that is taken is told before any shard changes hands.
  const http = await startHttpServer({
    host: settings.httpHost,
    port: settings.httpPort,
    troubles: () => threads?.troubles() ?? ["is starting"],
    metrics: async () => {
      const ofProcess = await own.getMetricsAsJSON();
      return threads?.metrics(ofProcess) ?? { contentType: own.contentType, body: await own.metrics() };
    },
  });
  try {
    const { applicationId: application, threads: count } = settings;
    logger.info({ http: http.address, application, policy: policy.version, threads: count }, "starting");
    threads = startProcessorThreads(settings, env);
    const told = signal.aborted ? Promise.resolve() : once(signal, "abort");
    await Promise.race([told, threads.started]);
    if (!signal.aborted) logger.info({ shards: await threads.shards() }, "started");
    await Promise.race([told, threads.ended]);
    logger.info({}, "draining");
  } finally {
    stopped = (await threads?.stop(settings.drainMs, LEAVE_MS)) ?? stopped;
    await http.close();
  }
  throwIfGivenUp(stopped, settings.drainMs);
  logger.info({}, "stopped");
}

/** A stop that ends in time but not in order says so: whoever restarts by it should know. */
function throwIfGivenUp({ abandoned, ended }: Stopped, drainMs: number): void {
  if (abandoned.length === 0 && ended === 0) return;
  const what = [
    ...(abandoned.length === 0
      ? []
      : [`shards ${abandoned.join(", ")} were still busy after ${drainMs} ms (CLIENTELA_DRAIN_MS)`]),
    ...(ended === 0 ? [] : [`${ended} thread(s) could not leave the group within ${LEAVE_MS} ms more`]),
  ];
  throw new ClientelaError(
    "STOP_GIVEN_UP",
    `${what.join("; ")}: ended all the same. Nothing is lost: the next owner recovers as after a crash`,
    { retriable: false },
  );
}
