/**
 * The processor as `clientela run` runs it, in one thread, on ports that die when told to, or that break the protocol. A program of
 * the chaos harness alone: `node processor.ts [BREAK]`, settings from the environment, orders over the IPC channel.
 */
import { once } from "node:events";
import { startHttpServer } from "../../src/adapters/http/server.ts";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { createMetrics } from "../../src/adapters/telemetry/metrics.ts";
import { startProcessor, type RunningProcessor } from "../../src/app/compose-kafka.ts";
import { configuredPolicy } from "../../src/app/policy-file.ts";
import { readSettings, serversOf, shardOptionsOf } from "../../src/app/settings.ts";
import { runProgram } from "../../src/cli/program.ts";
import { Command } from "commander";
import { BREAKS, portsBroken, type Break } from "./breaks.ts";
import { Deaths, portsWithDeaths, type DieOrder } from "./crash-points.ts";

const [way = null] = process.argv.slice(2);
if (way !== null && !BREAKS.some((known) => known === way)) throw new Error(`no way to break: ${way}`);
const deaths = new Deaths();
process.on("message", (order: DieOrder) => deaths.order(order));

async function run(signal: AbortSignal, env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const settings = readSettings(env);
  const servers = serversOf(settings);
  const logger = createLogger(settings.logLevel);
  const { telemetry, registry } = createMetrics();
  let running: RunningProcessor | null = null;
  const http = await startHttpServer({
    host: settings.httpHost,
    port: settings.httpPort,
    troubles: () => running?.processor.troubles() ?? ["is starting"],
    metrics: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  });
  try {
    logger.info({ http: http.address, application: settings.applicationId, threads: 1 }, "starting");
    running = await startProcessor({
      servers,
      policy: await configuredPolicy(settings.policyFile),
      logger,
      telemetry,
      drainMs: settings.drainMs,
      shard: shardOptionsOf(settings),
      // The deaths are inside, where the broken order of steps has its gaps.
      through: (ports) => portsBroken(portsWithDeaths(ports, deaths), way as Break | null, servers),
    });
    logger.info({ shards: running.processor.shards }, "started");
    const stopped = signal.aborted ? Promise.resolve() : once(signal, "abort");
    await Promise.race([stopped, running.processor.ended]);
    logger.info({}, "draining");
  } finally {
    await running?.stop();
    await http.close();
    if (process.connected) process.disconnect();
  }
  logger.info({}, "stopped");
}

const program = ({ signal, env }: { signal: AbortSignal; env: typeof process.env }): Command =>
  new Command("processor").argument("[break]").action(() => run(signal, env));

process.exitCode = await runProgram(
  ({ signal, env }) => program({ signal, env: { ...env } }),
  process.argv.slice(2),
);
setInterval(() => process.exit(), 500).unref();
