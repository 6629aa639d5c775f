import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { stackDown, stackUp, type Endpoints } from "../src/app/stack/stack.ts";

declare module "vitest" {
  export interface ProvidedContext {
    endpoints: Endpoints;
  }
}

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
  const stop = async (): Promise<void> => {
    await stackDown(dir);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    project.provide("endpoints", await stackUp(dir, (text) => process.stderr.write(`${text}\n`)));
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
