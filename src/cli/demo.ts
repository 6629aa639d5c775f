import { closeSync, openSync, writeSync } from "node:fs";
import { Command } from "commander";
import { recordOf, startEmbedded } from "../app/compose-embedded.ts";
import { DEMO_DEFAULTS, runDemo } from "../app/demo/run-demo.ts";
import { UsageError } from "../pipeline/errors.ts";
import { wholeNumber } from "./arguments.ts";
import type { CommandContext } from "./context.ts";

interface Options {
  readonly seed: number;
  readonly customers: number;
  readonly days: number;
  readonly fast: boolean;
  readonly saveEvents?: string;
}

export function demoCommand({ signal }: CommandContext): Command {
  return new Command("demo")
    .description("Shows what clientela does, on made-up customers, with nothing else installed.")
    .option("--seed <n>", "equal seeds show equal stories", wholeNumber(0, 0xffff_ffff), DEMO_DEFAULTS.seed)
    .option("--customers <n>", "how many", wholeNumber(1, 20_000), DEMO_DEFAULTS.customers)
    .option("--days <n>", "how much time goes by", wholeNumber(1, 3650), DEMO_DEFAULTS.days)
    .option("--fast", "without the pace that lets you read along", false)
    .option("--save-events <file>", "keep the events, for replay, explain and timeline")
    .addHelpText("after", "\nExample: clientela demo --seed 7 --fast")
    .action(async (options: Options) => {
      const { stdout } = process;
      const saved = options.saveEvents === undefined ? null : openSaved(options.saveEvents);
      await runDemo(
        {
          ...options,
          signal,
          ...(saved === null ? {} : { saveEvent: (line: string) => void writeSync(saved, line) }),
          out: {
            write: (text) => void stdout.write(text),
            isTTY: stdout.isTTY,
            columns: stdout.isTTY ? stdout.columns : Infinity,
            color: stdout.isTTY && process.env["NO_COLOR"] === undefined,
          },
        },
        {
          start: async ({ policy, clock, onCommitted }) => {
            const engine = await startEmbedded({ policy, clock, onCommitted });
            return {
              append: (events) => engine.append(events.map(recordOf)),
              settle: () => engine.settle(),
              customer: (customerId) => engine.customer(customerId),
              stop: () => engine.stop(),
            };
          },
        },
      );
      if (saved !== null) closeSync(saved);
    });
}

function openSaved(path: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    throw new UsageError("OUTPUT", [
      `${path} can't be written: ${error instanceof Error ? error.message : String(error)}`,
    ]);
  }
}
