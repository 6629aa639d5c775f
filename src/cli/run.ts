import { once } from "node:events";
import { Command } from "commander";
import { startHttpServer, type HttpServer } from "../adapters/http/server.ts";
import { createLogger } from "../adapters/telemetry/logger.ts";
import { createProcessMetrics } from "../adapters/telemetry/metrics.ts";
import { configuredPolicy } from "../app/policy-file.ts";
import { startProcessorThreads } from "../app/processor-threads.ts";
import { readSettings, settingsHelp, type Settings } from "../app/settings.ts";
import type { CommandContext } from "./program.ts";

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

async function run(settings: Settings, { env, signal }: CommandContext): Promise<void> {
  // Checked here too: mistakes are told before anything starts.
  const policy = await configuredPolicy(settings.policyFile);
  const logger = createLogger(settings.logLevel);
  const own = createProcessMetrics();
  const threads = startProcessorThreads(settings.threads, env);
  let http: HttpServer | null = null;
  try {
    http = await startHttpServer({
      host: settings.httpHost,
      port: settings.httpPort,
      troubles: () => threads.troubles(),
      metrics: async () => threads.metrics(await own.getMetricsAsJSON()),
    });
    const { applicationId: application, threads: count } = settings;
    logger.info({ http: http.address, application, policy: policy.version, threads: count }, "starting");
    const stopped = signal.aborted ? Promise.resolve() : once(signal, "abort");
    await Promise.race([stopped, threads.started]);
    if (!signal.aborted) logger.info({ shards: await threads.shards() }, "started");
    await Promise.race([stopped, threads.ended]);
    logger.info({}, "draining");
  } finally {
    await threads.stop();
    await http?.close();
  }
  logger.info({}, "stopped");
}
