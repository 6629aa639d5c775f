import { Command, Option } from "commander";
import { createLogger } from "../adapters/telemetry/logger.ts";
import { listDeadLetters } from "../app/outputs.ts";
import { readSettings, serversOf } from "../app/settings.ts";
import { DEAD_LETTER_REASONS } from "../domain/events.ts";
import type { CommandContext } from "./context.ts";

interface Options {
  readonly reason?: string;
  readonly topic?: string;
  readonly json: boolean;
}

export function deadLettersCommand({ env, signal }: CommandContext): Command {
  const deadLetters = new Command("dead-letters").description("What was refused, and why.");
  deadLetters.addCommand(
    new Command("list")
      .description("lists the refused records")
      .addOption(new Option("--reason <reason>", "of one reason only").choices([...DEAD_LETTER_REASONS]))
      .option("--topic <name>", "of one input topic only")
      .option("--json", "one JSON object a line", false)
      .addHelpText("after", "\nExample: clientela dead-letters list --reason invalid_scale")
      .action(async ({ reason, topic, json }: Options) => {
        const settings = readSettings(env);
        const listed = listDeadLetters({
          servers: serversOf(settings),
          fromBeginning: true,
          untilEnd: true,
          signal,
          logger: createLogger(settings.logLevel),
        });
        for await (const deadLetter of listed) {
          if (reason !== undefined && deadLetter.reason !== reason) continue;
          if (topic !== undefined && !isTopic(deadLetter.source.topic, topic, settings.topicPrefix)) continue;
          const { source, at } = deadLetter;
          process.stdout.write(
            json
              ? `${JSON.stringify(deadLetter)}\n`
              : `${at.toISOString()}  ${deadLetter.reason}  ${source.topic}-${source.partition}@${source.offset}  ${deadLetter.message}\n`,
          );
        }
      }),
  );
  return deadLetters;
}

/** People name a topic with or without the prefix of this installation. */
function isTopic(found: string, asked: string, prefix: string): boolean {
  return found === asked || found === prefix + asked;
}
