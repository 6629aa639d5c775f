import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { RefusedError } from "../../pipeline/errors.ts";

/** Locks that this process holds: in a container a former process may well have had the same number. */
const held = new Set<string>();

/**
 * Keeps a second process out of a folder: a file with the owner's process number. What a process that has ended left behind is
 * taken over.
 * @returns gives the lock back
 * @throws RefusedError when somebody holds it
 */
export function lockFolder(file: string): () => void {
  const path = resolve(file);
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = openSync(path, "wx");
      writeSync(handle, `${process.pid}\n`);
      closeSync(handle);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = Number(readFileSync(path, "utf8"));
    const isStale = owner === process.pid ? !held.has(path) : !isAlive(owner);
    if (!isStale || attempt > 0) {
      throw new RefusedError(
        "FOLDER_IN_USE",
        `${path} says that process ${owner} is using this folder. Stop it, or delete that file if it is not running`,
      );
    }
    rmSync(path, { force: true });
  }
  held.add(path);
  return () => {
    if (held.delete(path)) rmSync(path, { force: true });
  };
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
