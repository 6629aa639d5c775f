import { resolve } from "node:path";
import { Command } from "commander";
import type { CommandContext } from "./context.ts";
import { stackDown, stackStatus, stackUp } from "../app/stack/stack.ts";

const DEFAULT_DIR = ".stack";

export function stackCommand({ signal }: CommandContext): Command {
  const stack = new Command("stack").description(
    "Real Kafka, schema registry and Redis on this machine, without Docker.",
  );
  const withDir = (name: string, description: string): Command =>
    new Command(name)
      .description(description)
      .option("--dir <folder>", "where data and logs are", DEFAULT_DIR);
  stack.addCommand(
    withDir("up", "starts what does not run yet, and prints where it answers").action(
      async ({ dir }: { dir: string }) => {
        const endpoints = await stackUp(resolve(dir), (text) => process.stderr.write(`${text}\n`), signal);
        for (const [name, value] of Object.entries(endpoints))
          process.stdout.write(`${name}=${String(value)}\n`);
      },
    ),
  );
  stack.addCommand(
    withDir("down", "stops what up has started; the data stays").action(async ({ dir }: { dir: string }) => {
      const stopped = await stackDown(resolve(dir));
      process.stderr.write(
        stopped.length === 0 ? "nothing was running\n" : `stopped ${stopped.join(", ")}\n`,
      );
    }),
  );
  stack.addCommand(
    withDir("status", "says what runs").action(({ dir }: { dir: string }) => {
      for (const { part, pid, endpoint } of stackStatus(resolve(dir))) {
        process.stdout.write(
          `${part}\t${pid === null ? "stopped" : `running\t${endpoint ?? ""}\tpid ${pid}`}\n`,
        );
      }
    }),
  );
  stack.addHelpText("after", "\nExample: eval $(clientela stack up | sed 's/^/export /')");
  return stack;
}
