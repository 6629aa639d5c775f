import { readdirSync, readFileSync } from "node:fs";
import { cpuSecondsOf } from "../conditions.ts";
import { add } from "./aggregate.ts";
import { threadOf } from "./areas.ts";

/** CPU seconds so far of a process's threads, by what they are for. One that ends in the meantime is left out. */
export function threadSeconds(pid: number): Map<ReturnType<typeof threadOf>, number> {
  const seconds = new Map<ReturnType<typeof threadOf>, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const path = `/proc/${pid}/task/${task}`;
    try {
      add(seconds, threadOf(readFileSync(`${path}/comm`, "utf8").trim()), cpuSecondsOf(`${path}/stat`));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")))
        throw error;
    }
  }
  return seconds;
}
