import Table from "cli-table3";
import { Command } from "commander";
import { timeline } from "../domain/timeline.ts";
import type { Cause } from "../domain/change.ts";
import { toIso, type Instant } from "../shared/instant.ts";
import { collected, instantValue } from "./arguments.ts";
import { lookUp, nothingKnown, type CustomerOptions } from "./customer.ts";
import type { CommandContext } from "./context.ts";
import { timelineLine } from "../app/result-lines.ts";

interface Options extends CustomerOptions {
  readonly until?: Instant;
  readonly json: boolean;
}

export function timelineCommand(context: CommandContext): Command {
  return new Command("timeline")
    .description("Every transition of a customer with its cause, as if every event had been on time.")
    .argument("<customer>", "customer id")
    .option(
      "--until <instant>",
      "up to this instant (default: now, or the newest event with --events)",
      instantValue,
    )
    .option(
      "--events <file>",
      "from event files instead of the state store; may be given several times",
      collected,
    )
    .option("--policy <file>", "policy file (default: CLIENTELA_POLICY_FILE, or the built-in policy)")
    .option("--json", "one JSON object a line", false)
    .addHelpText("after", "\nExample: clientela timeline C-1042 --events events.jsonl")
    .action(async (customerId: string, options: Options) => {
      const { customer, policy, latestAt } = await lookUp(customerId, options, context);
      const until = options.until ?? latestAt;
      const { base } = customer.state;
      const transitions = timeline(customer, until, policy);
      if (transitions.length === 0 && (base === null || until < base.at)) throw nothingKnown(customer, until);
      if (base !== null) {
        process.stderr.write(
          `begins after ${toIso(base.at)}: what was before is settled, its details are dropped (policy.horizonDays)\n`,
        );
      }
      if (options.json) {
        for (const transition of transitions) {
          process.stdout.write(`${JSON.stringify(timelineLine({ customerId, ...transition }))}\n`);
        }
        return;
      }
      const table = new Table({
        head: ["at", "status", "stage", "value", "attention", "tags", "cause"],
        style: { head: [], border: [] },
      });
      for (const { at, current, cause } of transitions) {
        const { status, stage, value, attention, tags } = current;
        table.push([toIso(at), status, stage, value, attention, tags.join(" "), shownCause(cause)]);
      }
      process.stdout.write(`${table.toString()}\n`);
    });
}

function shownCause({ kind, ref }: Cause): string {
  if (ref === null) return kind;
  return typeof ref === "string" ? `${kind} ${ref}` : `${kind} ${ref.topic} ${ref.eventId}`;
}
