import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stackDown, stackUp } from "../../src/app/stack/stack.ts";

export type Say = (text: string) => void;

/** Real servers of a benchmark's own, and a temporary folder for all that is written. */
export interface Stage {
  readonly dir: string;
  /** Where the servers are, on top of this process's own environment. */
  readonly env: NodeJS.ProcessEnv;
  /** What is to be closed before the servers go, last first. */
  later(close: () => Promise<unknown>): void;
}

/** Lends a stage for a piece of work; whatever happens, nothing of it is left. */
export async function onStage<T>(say: Say, work: (stage: Stage) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), "clientela-bench-"));
  const closing: (() => Promise<unknown>)[] = [];
  try {
    const endpoints = await stackUp(dir, say);
    const env = { ...process.env, ...endpoints };
    return await work({ dir, env, later: (close) => void closing.unshift(close) });
  } finally {
    for (const close of closing) await close().catch(() => undefined);
    await stackDown(dir);
    rmSync(dir, { recursive: true, force: true });
  }
}
