import { Command } from "commander";
import type { Explanation } from "../domain/explain.ts";
import { explain } from "../domain/explain.ts";
import type { Instant } from "../shared/instant.ts";
import { collected, instantValue } from "./arguments.ts";
import { lookUp, nothingKnown, type CustomerOptions } from "./customer.ts";
import { explanationText } from "./explanation-text.ts";
import type { CommandContext } from "./context.ts";

interface Options extends CustomerOptions {
  readonly at?: Instant;
  readonly json: boolean;
}

export function explainCommand(context: CommandContext): Command {
  return new Command("explain")
    .description("Why a customer stands where it stands: every rule, what was observed, what comes next.")
    .argument("<customer>", "customer id")
    .option(
      "--at <instant>",
      "at this instant (default: now, or the newest event with --events)",
      instantValue,
    )
    .option(
      "--events <file>",
      "from event files instead of the state store; may be given several times",
      collected,
    )
    .option("--policy <file>", "policy file (default: CLIENTELA_POLICY_FILE, or the built-in policy)")
    .option("--json", "as one JSON object", false)
    .addHelpText(
      "after",
      "\nExample: clientela explain C-1042 --events events.jsonl --at 2026-06-30T00:00:00Z",
    )
    .action(async (customerId: string, options: Options) => {
      const { customer, policy, latestAt } = await lookUp(customerId, options, context);
      const at = options.at ?? latestAt;
      const explanation = explain(customer, at, policy);
      if (explanation === null) throw nothingKnown(customer, at);
      process.stdout.write(
        options.json
          ? `${JSON.stringify(withIsoInstants(explanation))}\n`
          : explanationText(explanation, policy.baseCurrency),
      );
    });
}

/** Instants as result files have them (I3). */
function withIsoInstants(explanation: Explanation): unknown {
  const instants = new Set(["at", "since", "firstOccasionAt", "lastOccasionAt", "lapseAt", "accountSince"]);
  return JSON.parse(
    JSON.stringify(explanation, (key, value: unknown) =>
      instants.has(key) && typeof value === "number" ? new Date(value).toISOString() : value,
    ),
  );
}
