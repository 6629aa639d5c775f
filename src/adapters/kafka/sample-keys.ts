import type { Kafka } from "kafkajs";
import { fetchPartition, innerCluster, READ_UNCOMMITTED, type InnerCluster } from "./inner-cluster.ts";

/** Records of one partition from an offset on: one fetch, so one record batch at least and `maxBytes` at most, about. */
export interface KeySample {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface SampledKey {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Uint8Array;
}

/** Of a batch, which may hold a hundred thousand records, so many keys are enough. */
const KEYS_PER_SAMPLE = 50;
const MAX_BYTES = 16_384;

/**
 * Reads a few keys without a consumer group: a group would take seconds to form, and would stay behind. kafkajs fetches only
 * for groups, so this asks its inner cluster. Records without a key are left out.
 */
export async function sampleKeys(kafka: Kafka, samples: readonly KeySample[]): Promise<SampledKey[]> {
  if (samples.length === 0) return [];
  const cluster = innerCluster(kafka);
  await cluster.connect();
  try {
    await cluster.addMultipleTargetTopics([...new Set(samples.map(({ topic }) => topic))]);
    const keys: SampledKey[] = [];
    // One after the other: two first fetches at once would open two connections, of which kafkajs closes one.
    for (const sample of samples) keys.push(...(await fetchKeys(cluster, sample)));
    return keys;
  } finally {
    await cluster.disconnect();
  }
}

async function fetchKeys(
  cluster: InnerCluster,
  { topic, partition, offset }: KeySample,
): Promise<SampledKey[]> {
  const fetch = { topic, partition, offset, maxBytes: MAX_BYTES, isolationLevel: READ_UNCOMMITTED };
  const found = await fetchPartition(cluster, fetch);
  const keys: SampledKey[] = [];
  for (const message of found?.messages ?? []) {
    if (keys.length >= KEYS_PER_SAMPLE) break;
    if (message.key === null || message.isControlRecord === true || Number(message.offset) < offset) continue;
    keys.push({ topic, partition, offset: Number(message.offset), key: message.key });
  }
  return keys;
}
