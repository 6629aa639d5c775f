import { Command } from "commander";
import { createLogger } from "../adapters/telemetry/logger.ts";
import { readSettings, serversOf } from "../app/settings.ts";
import { setup } from "../app/setup.ts";
import type { CommandContext } from "./context.ts";

const DAY_MS = 86_400_000;

export function setupCommand({ env }: CommandContext): Command {
  return new Command("setup")
    .description("Creates or checks topics, and registers schemas. May be run again at any time.")
    .option("--json", "one JSON object a line", false)
    .addHelpText("after", "\nExample: CLIENTELA_PARTITIONS=16 clientela setup")
    .action(async ({ json }: { json: boolean }) => {
      const settings = readSettings(env);
      const findings = await setup({
        servers: serversOf(settings),
        partitions: settings.partitions,
        replicationFactor: settings.replicationFactor,
        changesRetentionMs: settings.changesRetentionDays * DAY_MS,
        delivery: settings.delivery,
        logger: createLogger(settings.logLevel),
      });
      for (const finding of findings) {
        if (json) process.stdout.write(`${JSON.stringify(finding)}\n`);
        else if ("topic" in finding) {
          process.stdout.write(
            `topic ${finding.topic}: ${finding.state}${finding.differences.map((text) => `\n  ${text}`).join("")}\n`,
          );
        } else process.stdout.write(`schema ${finding.subject}: ${finding.state}, id ${finding.id}\n`);
      }
    });
}
