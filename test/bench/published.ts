import type { EachBatchPayload } from "kafkajs";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { kafkaClient, type Servers } from "../../src/app/compose-kafka.ts";
import { openProgress } from "./progress.ts";

/** A record of `segment-changes`; a null value is a tombstone. */
export type ChangeRecord = EachBatchPayload["batch"]["messages"][number];

/** Takes committed changes as they become visible: those of one shard that came together. */
export type TakeChanges = (shard: number, records: readonly ChangeRecord[]) => void;

/** Hands over all changes that are committed from now on, or from the start of the topic, none left out, none twice. */
export async function readChanges(
  servers: Servers,
  from: "start" | "now",
  take: TakeChanges,
): Promise<{ stop(): Promise<void> }> {
  const topic = `${servers.topicPrefix}segment-changes`;
  const progress = await openProgress(servers);
  const ends = await progress.ends("segment-changes").finally(() => progress.close());
  const consumer = kafkaClient(servers, createLogger("error")).consumer({
    groupId: `${servers.applicationId}-follower`,
    readUncommitted: false,
    maxWaitTimeInMs: 50,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const firsts = new Map(ends.map(({ partition, offset }) => [partition, from === "now" ? offset : 0]));
  await consumer.run({
    autoCommit: false,
    eachBatch: async (payload) => {
      const { batch } = payload;
      const first = firsts.get(batch.partition) ?? 0;
      // Until it is sent ahead, the consumer reads from the start.
      const records = batch.messages.filter(({ offset }) => Number(offset) >= first);
      if (records.length > 0) take(batch.partition, records);
      await payload.heartbeat();
    },
  });
  for (const [partition, first] of firsts) {
    if (first > 0) consumer.seek({ topic, partition, offset: String(first) });
  }
  return { stop: () => consumer.disconnect() };
}

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
  const reading = await readChanges(servers, from, (shard, records) => {
    const times = sentAt[shard];
    if (times === undefined) throw new Error(`there is no shard ${shard}`);
    for (const { timestamp, headers } of records) {
      const id = String(headers?.["ce_id"]);
      seen.set(id, (seen.get(id) ?? 0) + 1);
      const at = Number(timestamp);
      if (times.at(-1) !== at) times.push(at);
    }
  });
  return { sentAt, seen, stop: () => reading.stop() };
}
