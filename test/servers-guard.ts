import { rmSync } from "node:fs";
import { stackDown } from "../src/app/stack/stack.ts";

/**
 * Ends the test run's servers when the run ends, in whatever way: its standard input is a pipe from the run, which the system closes
 * even when the run is killed. Called with the servers' folder.
 */
const [, , dir] = process.argv;
if (dir === undefined) throw new Error("which servers? call this with their folder");

process.stdin.resume();
process.stdin.once("close", () => void end(dir));

async function end(folder: string): Promise<void> {
  await stackDown(folder);
  rmSync(folder, { recursive: true, force: true });
}
