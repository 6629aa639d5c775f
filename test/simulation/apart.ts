import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Summary } from "./simulate.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const execute = promisify(execFile);

/**
 * Runs schedules in a process of their own: beside others, and with the source changed as it is loaded where something is left out.
 * `said`: each violation with the command that replays it.
 */
export async function simulateApart(how: {
  readonly from: number;
  readonly schedules: number;
  readonly first?: boolean;
  readonly omission?: string;
}): Promise<{ readonly summary: Summary; readonly said: string }> {
  const args = [MAIN, "--seed", String(how.from), "--schedules", String(how.schedules), "--json"];
  if (how.first === true) args.push("--first");
  if (how.omission !== undefined) args.push("--omission", how.omission);
  const { stdout, stderr } = await execute(process.execPath, args).catch((error: unknown) => {
    // A run with violations ends with 1.
    if (isEnded(error) && error.code === 1 && error.stdout !== "") return error;
    throw error;
  });
  return { summary: JSON.parse(stdout) as Summary, said: stderr };
}

function isEnded(
  error: unknown,
): error is { readonly code: number; readonly stdout: string; readonly stderr: string } {
  return error instanceof Error && "stdout" in error && "code" in error;
}
