import type { Admin, Kafka } from "kafkajs";
import { RefusedError } from "../../pipeline/errors.ts";
import { murmur2, partitionOf } from "../../shared/murmur2.ts";
import { sampleKeys, type KeySample, type SampledKey } from "./sample-keys.ts";
import { inputTopicNames } from "./topics.ts";

export interface KeyCheckOptions {
  readonly prefix: string;
  /** Partitions of every input. */
  readonly shards: number;
  readonly logger: { warn(fields: object, message: string): void };
}

/** Partitions of a topic that are looked into, each at its beginning and near its end. */
const PARTITIONS_SAMPLED = 3;
const NEAR_END_RECORDS = 50;
/** One key in so many may sit elsewhere: a record somebody sent by hand must not stop every start. */
export const STRAY_ONE_IN = 10;

/**
 * Checks that keys sit where Java's murmur2 puts them (A3): else a customer's facts would not meet in one shard. A few records of
 * each input that has some are looked at; it takes two requests a topic and up to six small fetches, and leaves no group behind.
 * @returns whole names of the topics that it has warned of
 * @throws RefusedError when a topic was filled by another partitioner, or with another number of partitions
 */
export async function checkKeys(
  kafka: Kafka,
  admin: Admin,
  options: KeyCheckOptions,
): Promise<ReadonlySet<string>> {
  const { prefix, shards, logger } = options;
  const warned = new Set<string>();
  if (shards < 2) return warned;
  const topics = inputTopicNames(prefix);
  const samples = (await Promise.all(topics.map((topic) => samplesOf(admin, topic)))).flat();
  const keys = await keysOf(kafka, samples);
  for (const topic of topics) {
    const distinct = new Map(
      keys.filter((found) => found.topic === topic).map((found) => [idOf(found), found]),
    );
    const astray = [...distinct.values()].filter(
      ({ key, partition }) => partitionOf(key, shards) !== partition,
    );
    const [first] = astray;
    if (first === undefined) continue;
    const found = describeKey(first, shards);
    if (astray.length * STRAY_ONE_IN <= distinct.size) {
      warned.add(topic);
      logger.warn(
        { topic, sampled: distinct.size, misplaced: astray.length, ...found },
        "some keys are not where Java's murmur2 puts them: facts of these customers are in two shards",
      );
      continue;
    }
    throw keysMisplaced(topic, { misplaced: astray.length, sampled: distinct.size }, found, shards);
  }
  return warned;
}

/** `topic`: its whole name. */
export function keysMisplaced(
  topic: string,
  { misplaced, sampled }: { readonly misplaced: number; readonly sampled: number },
  found: ReturnType<typeof describeKey>,
  shards: number,
): RefusedError {
  return new RefusedError(
    "KEYS_MISPLACED",
    `${topic}: ${misplaced} of ${sampled} sampled keys are not where Java's murmur2 puts them, so a customer's facts would not meet in one shard. ` +
      `The record at offset ${found.offset} of partition ${found.partition} has a key with hash ${found.hash}, which belongs in partition ${found.belongsIn} of ${shards}. ` +
      "Either its producer partitions in another way (librdkafka: set partitioner=murmur2_random; others: murmur2, as the Java client), or partitions were added after it was written. " +
      "Mend the producer, copy the topic into a new one keyed by customer and partitioned by murmur2 (under a new CLIENTELA_TOPIC_PREFIX), and start there under a fresh CLIENTELA_APPLICATION_ID",
  );
}

async function samplesOf(admin: Admin, topic: string): Promise<KeySample[]> {
  const filled = (await admin.fetchTopicOffsets(topic))
    .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
    .filter(({ low, high }) => high > low)
    .sort((a, b) => a.partition - b.partition);
  const step = Math.max(1, filled.length / PARTITIONS_SAMPLED);
  return Array.from(
    { length: Math.min(PARTITIONS_SAMPLED, filled.length) },
    (_, i) => filled[Math.floor(i * step)],
  )
    .filter((each) => each !== undefined)
    .flatMap(({ partition, low, high }) => {
      const nearEnd = high - NEAR_END_RECORDS;
      return [low, ...(nearEnd > low + NEAR_END_RECORDS ? [nearEnd] : [])].map((offset) => ({
        topic,
        partition,
        offset,
      }));
    });
}

async function keysOf(kafka: Kafka, samples: readonly KeySample[]): Promise<SampledKey[]> {
  try {
    return await sampleKeys(kafka, samples);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "KafkaJSNotImplemented") throw error;
    throw new RefusedError(
      "COMPRESSION_UNKNOWN",
      `an input holds records that can't be read: ${error.message}. Let its producers compress with gzip or not at all`,
      error,
    );
  }
}

function idOf({ key, partition }: SampledKey): string {
  return `${partition} ${Buffer.from(key).toString("latin1")}`;
}

/** The key's hash, never the key: it names a customer. */
export function describeKey(
  { key, partition, offset }: Omit<SampledKey, "topic">,
  shards: number,
): { hash: string; partition: number; offset: number; belongsIn: number } {
  const hash = (murmur2(key) >>> 0).toString(16).padStart(8, "0");
  return { hash, partition, offset, belongsIn: partitionOf(key, shards) };
}
