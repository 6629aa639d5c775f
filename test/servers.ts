import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { stackUp, type Endpoints } from "../src/app/stack/stack.ts";

declare module "vitest" {
  export interface ProvidedContext {
    endpoints: Endpoints;
  }
}

const GUARD = fileURLToPath(new URL("servers-guard.ts", import.meta.url));

/**
 * Real servers for the tests: those of the environment when all three are named, else a stack of the run's own. Without
 * servers the run fails; it does not skip.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REDIS_URL } = process.env;
  if (KAFKA_BROKERS !== undefined && SCHEMA_REGISTRY_URL !== undefined && REDIS_URL !== undefined) {
    project.provide("endpoints", { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REDIS_URL });
    return undefined;
  }
  const dir = mkdtempSync(join(tmpdir(), "clientela-test-"));
  const stop = endWithTheRun(dir);
  try {
    project.provide("endpoints", await stackUp(dir, (text) => process.stderr.write(`${text}\n`)));
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

/** The servers in `dir` end with this process, also when a signal ends it; or when the answer is called. */
function endWithTheRun(dir: string): () => Promise<void> {
  // Of its own group: what a terminal sends to the run must not reach it.
  const guard = spawn(process.execPath, [GUARD, dir], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const exited = once(guard, "exit");
  return async () => {
    guard.stdin.end();
    const [code] = (await exited) as [number | null];
    if (code !== 0) throw new Error(`the servers in ${dir} could not be stopped`);
  };
}
