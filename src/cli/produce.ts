import { Command } from "commander";
import { createLogger } from "../adapters/telemetry/logger.ts";
import { produce } from "../app/produce.ts";
import { readSettings, serversOf } from "../app/settings.ts";
import { wholeNumber } from "./arguments.ts";
import type { CommandContext } from "./program.ts";
import { Progress } from "./progress.ts";

export function produceCommand({ env, signal }: CommandContext): Command {
  return new Command("produce")
    .description("Sends event files to the input topics.")
    .argument("<file...>", "event files: one JSON object a line, .gz too, - for standard input")
    .option("--rate <n>", "events a second (default: as fast as possible)", wholeNumber(1, 10_000_000))
    .addHelpText("after", "\nExample: clientela produce events.jsonl --rate 500")
    .action(async (files: string[], { rate }: { rate?: number }) => {
      const settings = readSettings(env);
      const progress = new Progress("events");
      const startedAt = performance.now();
      let refused = 0;
      const sent = await produce({
        servers: serversOf(settings),
        files,
        rate: rate ?? null,
        signal,
        logger: createLogger(settings.logLevel),
        onProgress: ({ bytes, totalBytes }, count) => progress.update(count, bytes, totalBytes),
        onRefused: (file, line, why) => {
          refused++;
          process.stderr.write(`${file}:${line}: not sent: ${why}\n`);
        },
      });
      progress.stop();
      const seconds = (performance.now() - startedAt) / 1000;
      process.stderr.write(
        `${sent} events sent in ${seconds.toFixed(1)} s, ${refused} lines could not be sent\n`,
      );
    });
}
