import { once } from "node:events";
import { Command } from "commander";
import { startHttpServer } from "../adapters/http/server.ts";
import { createLogger } from "../adapters/telemetry/logger.ts";
import { createMetrics } from "../adapters/telemetry/metrics.ts";
import { startProcessor } from "../app/compose-kafka.ts";
import { builtInPolicy, readPolicy } from "../app/policy-file.ts";
import { readSettings, serversOf, settingsHelp, type Settings } from "../app/settings.ts";
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
    .action(() => run(readSettings(context.env), context.signal));
}

async function run(settings: Settings, signal: AbortSignal): Promise<void> {
  const policy = settings.policyFile === null ? builtInPolicy() : await readPolicy(settings.policyFile);
  const logger = createLogger(settings.logLevel);
  const { telemetry, registry } = createMetrics();
  let troubles = (): readonly string[] => ["is starting"];
  const http = await startHttpServer({
    host: settings.httpHost,
    port: settings.httpPort,
    troubles: () => troubles(),
    metrics: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  });
  logger.info(
    { http: http.address, application: settings.applicationId, policy: policy.version },
    "starting",
  );
  try {
    const running = await startProcessor({
      servers: serversOf(settings),
      policy,
      logger,
      telemetry,
      drainMs: settings.drainMs,
      shard: {
        commitIntervalMs: settings.commitIntervalMs,
        batchRecords: settings.batchRecords,
        cacheCustomers: settings.cacheCustomers,
        firstStart: settings.firstStart,
        onStateLoss: settings.onStateLoss,
      },
    });
    troubles = () => running.processor.troubles();
    logger.info({ shards: running.processor.shards }, "started");
    const stopped = signal.aborted ? Promise.resolve() : once(signal, "abort");
    try {
      await Promise.race([stopped, running.processor.ended]);
      logger.info({}, "draining");
    } finally {
      await running.stop();
    }
    logger.info({}, "stopped");
  } finally {
    await http.close();
  }
}
