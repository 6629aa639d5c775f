import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { SETTINGS } from "../app/settings.ts";
import { ClientelaError, RefusedError, UsageError } from "../pipeline/errors.ts";
import type { CommandContext } from "./context.ts";

/** Exit codes of I1. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3 } as const;

type MakeCommand = (context: CommandContext) => Command;

/** The commands by name. Each is loaded when it is asked for: most of the time that a start takes goes into what the others need. */
const COMMANDS: ReadonlyMap<string, () => Promise<MakeCommand>> = new Map([
  ["demo", async () => (await import("./demo.ts")).demoCommand],
  ["replay", async () => (await import("./replay.ts")).replayCommand],
  ["setup", async () => (await import("./setup.ts")).setupCommand],
  ["produce", async () => (await import("./produce.ts")).produceCommand],
  ["run", async () => (await import("./run.ts")).runCommand],
  ["watch", async () => (await import("./watch.ts")).watchCommand],
  ["explain", async () => (await import("./explain.ts")).explainCommand],
  ["timeline", async () => (await import("./timeline.ts")).timelineCommand],
  ["dead-letters", async () => (await import("./dead-letters.ts")).deadLettersCommand],
  ["stack", async () => (await import("./stack.ts")).stackCommand],
]);

/** The program, with the one command that the arguments begin with, or with all. */
export async function createProgram(context: CommandContext, args: readonly string[]): Promise<Command> {
  const asked = COMMANDS.get(args[0] ?? "");
  const program = new Command("clientela")
    .description(
      "Keeps every customer's segment true at every moment: Kafka in, explained segment changes out.",
    )
    .version(versionOfPackage(), "-V, --version", "display the version")
    .showHelpAfterError(false);
  for (const load of asked === undefined ? COMMANDS.values() : [asked]) {
    const make = await load();
    program.addCommand(make(context));
  }
  for (const command of everyCommand(program)) {
    command
      .helpCommand(false)
      .exitOverride()
      .configureOutput({ outputError: () => undefined });
  }
  return program;
}

function* everyCommand(command: Command): Generator<Command> {
  yield command;
  for (const child of command.commands) yield* everyCommand(child);
}

/** Runs one command line and returns its exit code. Problems are told on stderr, a line each. */
export async function runProgram(
  create: (context: CommandContext, args: readonly string[]) => Command | Promise<Command>,
  args: readonly string[],
  env: CommandContext["env"] = process.env,
): Promise<number> {
  const stop = new AbortController();
  const onSignal = (): void => {
    // The second time the user means it.
    if (stop.signal.aborted) process.exit(EXIT.failed);
    stop.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  try {
    const program = await create({ signal: stop.signal, env }, args);
    await program.parseAsync(["node", "clientela", ...args]);
    return EXIT.done;
  } catch (error) {
    return exitCodeOf(error, env);
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

function exitCodeOf(error: unknown, env: CommandContext["env"]): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done;
    // A command without its sub-command: commander has shown the help, which says it all.
    if (error.code !== "commander.help") say(error.message.replace(/^error: /, "").replaceAll("\n", " "));
    return EXIT.usage;
  }
  if (error instanceof UsageError) {
    for (const problem of error.problems) say(problem);
    return EXIT.usage;
  }
  if (error instanceof RefusedError) {
    say(`${error.message} [${error.code}]`);
    return EXIT.refused;
  }
  if (error instanceof ClientelaError) {
    say(`${error.message}${whereToLook(error.code, env)} [${error.code}]`);
    return EXIT.failed;
  }
  process.stderr.write(
    `clientela: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return EXIT.failed;
}

/** Whoever can't reach a server wants to know which one was asked, and what said so. */
function whereToLook(code: string, env: CommandContext["env"]): string {
  const place = ((): string | null => {
    if (code.startsWith("KAFKA_")) return placeOf(SETTINGS.brokers, env);
    if (code.startsWith("REDIS_")) return placeOf(SETTINGS.redisUrl, env);
    if (code.startsWith("REGISTRY_")) return placeOf(SETTINGS.registryUrl, env);
    return null;
  })();
  return place === null ? "" : `. ${place}`;
}

function placeOf(
  setting: { readonly env: string; readonly fallback: string },
  env: CommandContext["env"],
): string {
  const given = env[setting.env] ?? "";
  if (given !== "") return `${setting.env} is ${withoutCredentials(given)}`;
  return `${setting.env} is not set, so ${setting.fallback} was tried; 'clientela stack up' starts servers on this machine`;
}

function withoutCredentials(places: string): string {
  return places.replaceAll(/\/\/[^/@\s]*@/g, "//");
}

function versionOfPackage(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function say(problem: string): void {
  process.stderr.write(`clientela: ${problem}\n`);
}
