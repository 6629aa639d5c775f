import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import type { Servers } from "../../src/app/compose-kafka.ts";
import { setup } from "../../src/app/setup.ts";
import { benchEvents } from "../../src/app/simulation/bench-events.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { sendAll } from "./send-all.ts";

/** Partitions of every topic, where a scenario does not vary them. */
export const SHARDS = 8;
/** Over which the mix is spread, up to now. */
export const YEARS = 3;

export interface Backlog {
  readonly servers: Servers;
  readonly partitions: number;
  readonly events: number;
  readonly customers: number;
}

export async function makeTopics(servers: Servers, partitions: number): Promise<void> {
  const logger = createLogger("error");
  await setup({ servers, partitions, replicationFactor: 1, changesRetentionMs: DAY_MS, logger });
}

/** Makes the topics and puts the realistic mix into them, as fast as it goes. */
export async function fillTopics({ servers, partitions, events, customers }: Backlog): Promise<void> {
  await makeTopics(servers, partitions);
  await sendAll(servers, partitions, mixUpToNow(events, customers));
}

/** The realistic mix over the last three years up to now, in time order. */
export function mixUpToNow(events: number, customers: number): ReturnType<typeof benchEvents> {
  const startAt = instant(Date.now() - YEARS * 365 * DAY_MS);
  return benchEvents({ seed: 1, customers, events, startAt, years: YEARS });
}
