import { setTimeout as sleep } from "node:timers/promises";

/** Throws when it does not hold within the limit. */
export async function until(what: string, limitMs: number, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${limitMs / 1000} s for ${what} in vain`);
    await sleep(100);
  }
}
