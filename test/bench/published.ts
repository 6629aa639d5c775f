import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { kafkaClient, type Servers } from "../../src/app/compose-kafka.ts";

/** What a subscriber gets to see of `segment-changes`, by shard. */
export interface Published {
  /** Instants at which records were sent to each shard, ascending; ms since the epoch, one for all that came together. */
  readonly sentAt: readonly (readonly number[])[];
  /** How often each changeId was seen. */
  readonly seen: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/** Reads everything committed to `segment-changes`, from its start or from now on, as it comes. */
export async function followChanges(
  servers: Servers,
  shards: number,
  from: "start" | "now" = "start",
): Promise<Published> {
  const sentAt: number[][] = Array.from({ length: shards }, () => []);
  const seen = new Map<string, number>();
  const consumer = kafkaClient(servers, createLogger("error")).consumer({
    groupId: `${servers.applicationId}-follower`,
    readUncommitted: false,
    maxWaitTimeInMs: 50,
  });
  await consumer.connect();
  await consumer.subscribe({
    topics: [`${servers.topicPrefix}segment-changes`],
    fromBeginning: from === "start",
  });
  await consumer.run({
    autoCommit: false,
    eachBatch: async (payload) => {
      const { batch } = payload;
      const times = sentAt[batch.partition];
      if (times === undefined) throw new Error(`there is no shard ${batch.partition}`);
      for (const { timestamp, headers } of batch.messages) {
        const id = String(headers?.["ce_id"]);
        seen.set(id, (seen.get(id) ?? 0) + 1);
        const at = Number(timestamp);
        if (times.at(-1) !== at) times.push(at);
      }
      await payload.heartbeat();
    },
  });
  return { sentAt, seen, stop: () => consumer.disconnect() };
}

/** Share `q` of the values are at most this; null when there are none. */
export function quantile(values: readonly number[], q: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}

export function spread(values: readonly number[]): object {
  return {
    count: values.length,
    p50: quantile(values, 0.5),
    p99: quantile(values, 0.99),
    max: quantile(values, 1),
  };
}
