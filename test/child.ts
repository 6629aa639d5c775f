import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** The command as a person would start it, in a process of its own. */
export interface Child {
  readonly process: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

export interface Ended {
  readonly code: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `clientela …` with nothing in its environment but what is given, and the way to the system's programs. */
export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Child {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH, HOME, ...env }, stdio: "pipe" });
  endWithTests(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // Whoever ends early does not read what is still written to it.
  child.stdin.on("error", () => undefined);
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended: once(child, "close").then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals | null),
  };
}

const left = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of left) child.kill("SIGKILL");
});

/** Kills the process when the tests end without having ended it, such as by a signal. */
export function endWithTests(child: ChildProcess): void {
  left.add(child);
  child.once("exit", () => left.delete(child));
}

/** Runs a command to its end. */
export async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stdin: string | Buffer = "",
): Promise<Ended> {
  const child = start(args, env);
  child.process.stdin?.end(stdin);
  const code = await child.ended;
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}

/** Lines of JSON as values. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
