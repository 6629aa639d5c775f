import { setTimeout as sleep } from "node:timers/promises";
import { inject } from "vitest";
import { decodeChange } from "../../src/adapters/avro/encoder.ts";
import { kafkaClient, registryOf, type Servers } from "../../src/app/compose-kafka.ts";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import { start, type Child } from "../child.ts";

const quiet = (): void => undefined;
export const LOGGER = { debug: quiet, info: quiet, warn: quiet, error: quiet };
let applications = 0;

/** Topics and an application id that nobody had before, on the run's servers. */
export interface Application {
  readonly env: Readonly<Record<string, string>>;
  readonly servers: Servers;
  readonly prefix: string;
}

export function freshApplication(settings: Readonly<Record<string, string>> = {}): Application {
  const name = `e2e-${Date.now().toString(36)}-${process.pid}-${applications++}`;
  const env = {
    ...inject("endpoints"),
    CLIENTELA_APPLICATION_ID: name,
    CLIENTELA_TOPIC_PREFIX: `${name}.`,
    CLIENTELA_HTTP_PORT: "0",
    ...settings,
  };
  const servers = serversOf(readSettings(env));
  return { env, servers, prefix: servers.topicPrefix };
}

/** What `run` wrote to its log. */
export function logOf(child: Child): Record<string, unknown>[] {
  return child
    .stderr()
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Waits until `holds` does; throws with `what` and what `child` said when it takes longer, or the child ends. */
export async function until(
  what: string,
  limitMs: number,
  holds: () => boolean | Promise<boolean>,
  child?: Child,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    const hasEnded = child !== undefined && child.process.exitCode !== null;
    if (Date.now() > deadline || hasEnded) {
      const said = child === undefined ? "" : `; it said:\n${child.stderr().slice(-2000)}`;
      throw new Error(`${what}: ${hasEnded ? "the process has ended" : `not within ${limitMs} ms`}${said}`);
    }
    await sleep(25);
  }
}

/** A processor that is ready, by its own account over HTTP. */
export async function startRun(
  env: Readonly<Record<string, string>>,
): Promise<{ child: Child; http: string }> {
  const child = start(["run"], env);
  const address = (): unknown => logOf(child).find(({ msg }) => msg === "starting")?.["http"];
  await until("an HTTP address", 30_000, () => typeof address() === "string", child);
  const http = String(address());
  await until("readiness", 60_000, () => isReady(http), child);
  return { child, http };
}

/** False also when nobody answers (any more): `until` then tells what the process said. */
async function isReady(http: string): Promise<boolean> {
  try {
    return (await fetch(`${http}/readyz`)).ok;
  } catch {
    return false;
  }
}

export interface SeenChange {
  readonly customerId: string;
  /** null: a tombstone. */
  readonly change: SegmentChange | null;
  readonly receivedAt: number;
}

/** Everything committed to `segment-changes`, from the first record on, as it comes. */
export async function subscribe({ servers, prefix }: Application): Promise<{
  readonly seen: readonly SeenChange[];
  stop(): Promise<void>;
}> {
  const registry = registryOf(servers);
  const consumer = kafkaClient(servers, LOGGER).consumer({
    groupId: `${servers.applicationId}-subscriber`,
    readUncommitted: false,
    maxWaitTimeInMs: 20,
  });
  const seen: SeenChange[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [`${prefix}segment-changes`], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async (payload) => {
      const receivedAt = Date.now();
      for (const { key, value } of payload.batch.messages) {
        const customerId = key?.toString("utf8") ?? "";
        seen.push({
          customerId,
          change: value === null ? null : await decodeChange(registry, value),
          receivedAt,
        });
      }
      await payload.heartbeat();
    },
  });
  return { seen, stop: () => consumer.disconnect() };
}
