import { Command, Option } from "commander";
import { createLogger } from "../adapters/telemetry/logger.ts";
import type { DeadLetterRecord, LetterSelection } from "../app/dead-letters/letter.ts";
import { listDeadLetters, type ListedLetter } from "../app/dead-letters/list.ts";
import { redrive } from "../app/dead-letters/redrive.ts";
import { loadRepair, type RepairOutcome } from "../app/dead-letters/repair.ts";
import { readSettings, serversOf } from "../app/settings.ts";
import { DEAD_LETTER_REASONS } from "../domain/events.ts";
import { ClientelaError, UsageError } from "../pipeline/errors.ts";
import { toIso, type Instant } from "../shared/instant.ts";
import { collected, instantOrAge, wholeNumber } from "./arguments.ts";
import type { CommandContext } from "./context.ts";
import { Progress } from "./progress.ts";

interface SelectionOptions {
  readonly reason?: readonly string[];
  readonly topic?: string;
  readonly since?: Instant;
  readonly until?: Instant;
  readonly record?: readonly string[];
  readonly limit?: number;
  readonly json: boolean;
}

interface ListOptions extends SelectionOptions {
  readonly pending: boolean;
}

interface RedriveOptions extends SelectionOptions {
  readonly repair?: string;
  readonly dryRun: boolean;
}

export function deadLettersCommand(context: CommandContext): Command {
  return new Command("dead-letters")
    .description("What was refused, and why; sends it back.")
    .addCommand(listCommand(context))
    .addCommand(redriveCommand(context));
}

function listCommand({ env, signal }: CommandContext): Command {
  return selecting(new Command("list").description("lists the refused records, and which were sent back"))
    .option("--pending", "only those that were not sent back", false)
    .addHelpText(
      "after",
      "\nExample: clientela dead-letters list --pending --reason invalid_scale --since P7D",
    )
    .action(async (options: ListOptions) => {
      const settings = readSettings(env);
      const listed = listDeadLetters({
        servers: serversOf(settings),
        selection: selectionOf(options),
        pendingOnly: options.pending,
        limit: options.limit ?? Infinity,
        signal,
        logger: createLogger(settings.logLevel),
      });
      for await (const letter of listed) {
        process.stdout.write(options.json ? `${JSON.stringify(letter)}\n` : lineOf(letter));
      }
    });
}

function redriveCommand({ env, signal }: CommandContext): Command {
  return selecting(
    new Command("redrive").description(
      "sends refused records back to their topics, each once, as they were or repaired",
    ),
  )
    .option("--repair <file>", "ES module, default export (letter) => repaired record, or null to leave it")
    .option("--dry-run", "shows what would be sent, and sends nothing", false)
    .addHelpText(
      "after",
      "\nWithout a selection all that were not sent back yet are. A run that was ended goes on where it was when it is started again.\n" +
        "\nExample: clientela dead-letters redrive --reason unknown_currency --repair ./repair.js --dry-run",
    )
    .action(async (options: RedriveOptions) => {
      const settings = readSettings(env);
      if (settings.delivery === "at-least-once" && !options.dryRun) {
        throw new UsageError("NO_TRANSACTIONS", [
          "redrive needs transactions to send each record once, and CLIENTELA_DELIVERY=at-least-once says that the brokers have none. " +
            "'dead-letters list --json' and 'produce' send records back by hand: the processor takes each eventId once",
        ]);
      }
      const progress = process.stdout.isTTY ? null : new Progress("records");
      let seen = 0;
      const { sent, left, failed, before, missing } = await redrive({
        servers: serversOf(settings),
        selection: selectionOf(options),
        limit: options.limit ?? Infinity,
        repair: options.repair === undefined ? null : await loadRepair(options.repair),
        dryRun: options.dryRun,
        signal,
        logger: createLogger(settings.logLevel),
        onOutcome: (letter, outcome) => {
          progress?.update(++seen, 0, null);
          tell(letter, outcome, options);
        },
      }).finally(() => progress?.stop());
      const verb = options.dryRun ? "would be sent" : "sent";
      process.stderr.write(`${sent} ${verb}, ${left} left, ${failed} failed, ${before} sent back before\n`);
      if (signal.aborted) {
        throw new ClientelaError(
          "INTERRUPTED",
          "stopped before the end; started again it goes on from there",
          {
            retriable: false,
          },
        );
      }
      if (missing.length > 0) {
        throw new ClientelaError("NOT_FOUND", `there is no such dead letter: ${missing.join(", ")}`, {
          retriable: false,
        });
      }
      if (failed > 0) {
        throw new ClientelaError("NOT_REPAIRED", `${failed} dead letters were left as they were`, {
          retriable: false,
        });
      }
    });
}

function selecting(command: Command): Command {
  const reasons = new Option("--reason <reason...>", "of these reasons only").choices([
    ...DEAD_LETTER_REASONS,
  ]);
  return command
    .addOption(reasons)
    .option("--topic <name>", "of one input topic only")
    .option("--since <instant>", "refused then or later; a duration such as P1D: so long ago", instantOrAge)
    .option("--until <instant>", "refused before then", instantOrAge)
    .option("--record <topic-partition@offset>", "this one only; may be given several times", collected)
    .option("--limit <n>", "at most so many", wholeNumber(1, 1_000_000_000))
    .option("--json", "one JSON object a line", false);
}

function selectionOf({ reason, topic, since, until, record }: SelectionOptions): LetterSelection {
  return {
    reasons: reason ?? [],
    topic: topic ?? null,
    since: since ?? null,
    until: until ?? null,
    records: record ?? [],
  };
}

function lineOf({ refusedAt, reason, source, message, redrivenAt }: ListedLetter): string {
  const place = `${source.topic}-${source.partition}@${source.offset}`;
  const after = redrivenAt === null ? "" : `  (sent back ${redrivenAt})`;
  return `${refusedAt}  ${reason}  ${place}  ${message}${after}\n`;
}

/** What is sent goes to stdout; what is not, with its reason, to stderr. */
function tell(letter: DeadLetterRecord, outcome: RepairOutcome, { json, dryRun }: RedriveOptions): void {
  const { id, source, reason, refusedAt } = letter;
  switch (outcome.kind) {
    case "send": {
      const { topic, key, value } = outcome.record;
      const to = { topic, key: key?.toString("utf8") ?? null, bytes: value?.length ?? 0 };
      process.stdout.write(
        json
          ? `${JSON.stringify({ source, reason, refusedAt: toIso(refusedAt), to, dryRun })}\n`
          : `${dryRun ? "would be sent" : "sent"}  ${id}  ${reason}  to ${topic}\n`,
      );
      return;
    }
    case "leave":
      process.stderr.write(`${id}: left\n`);
      return;
    case "failed":
      process.stderr.write(`${id}: ${outcome.why}\n`);
  }
}
