import { Command } from "commander";
import { createLogger } from "../adapters/telemetry/logger.ts";
import { produce } from "../app/produce.ts";
import { readSettings, serversOf } from "../app/settings.ts";
import { ClientelaError } from "../pipeline/errors.ts";
import { wholeNumber } from "./arguments.ts";
import type { CommandContext } from "./context.ts";
import { Progress } from "./progress.ts";

/** Lines that could not be sent and are told one by one. */
const GREATEST_SHOWN = 20;

export function produceCommand({ env, signal }: CommandContext): Command {
  return new Command("produce")
    .description("Sends event files to the input topics.")
    .argument("<file...>", "event files: one JSON object a line, .gz too, - for standard input")
    .option("--rate <n>", "events a second (default: as fast as possible)", wholeNumber(1, 10_000_000))
    .addHelpText("after", "\nExample: clientela produce events.jsonl --rate 500")
    .action(async (files: string[], { rate }: { rate?: number }) => {
      const settings = readSettings(env);
      const startedAt = performance.now();
      let refused = 0;
      const servers = serversOf(settings);
      const progress = new Progress("events");
      let sent: number;
      try {
        sent = await produce({
          servers,
          files,
          rate: rate ?? null,
          signal,
          logger: createLogger(settings.logLevel),
          onProgress: ({ bytes, totalBytes }, count) => progress.update(count, bytes, totalBytes),
          onRefused: (file, line, why) => {
            if (refused++ < GREATEST_SHOWN) process.stderr.write(`${file}:${line}: not sent: ${why}\n`);
            else if (refused === GREATEST_SHOWN + 1)
              process.stderr.write("further lines like these are only counted\n");
          },
        });
      } finally {
        progress.stop();
      }
      if (signal.aborted) {
        throw new ClientelaError("INTERRUPTED", `stopped before the end: ${sent} events are sent`, {
          retriable: false,
        });
      }
      const seconds = (performance.now() - startedAt) / 1000;
      process.stderr.write(
        `${sent} events sent in ${seconds.toFixed(1)} s, ${refused} lines could not be sent\n`,
      );
    });
}
