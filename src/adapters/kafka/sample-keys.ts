import type { Kafka } from "kafkajs";

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

/** The parts of kafkajs's cluster that a fetch outside a group needs; they are not in its types. */
interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
  findBroker(query: { nodeId: string }): Promise<Broker>;
}

interface Broker {
  fetch(request: {
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
  }): Promise<{ responses: { partitions: { messages: Message[] }[] }[] }>;
}

interface Message {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly isControlRecord?: boolean;
}

const CREATE_CLUSTER = "private:Kafka:createCluster";
const READ_UNCOMMITTED = 0;

/**
 * Reads a few keys without a consumer group: a group would take seconds to form, and would stay behind. kafkajs fetches only
 * for groups, so this asks its inner cluster (2.2.4, which is pinned). Records without a key are left out.
 */
export async function sampleKeys(kafka: Kafka, samples: readonly KeySample[]): Promise<SampledKey[]> {
  if (samples.length === 0) return [];
  const cluster = clusterOf(kafka);
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

function clusterOf(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === CREATE_CLUSTER,
  );
  if (symbol === undefined) throw new Error("this is not the kafkajs whose inside is known (2.2.4)");
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol];
  if (create === undefined) throw new Error("kafkajs has no cluster");
  return create({ allowAutoTopicCreation: false, metadataMaxAge: 300_000, isolationLevel: READ_UNCOMMITTED });
}

async function fetchKeys(cluster: Cluster, { topic, partition, offset }: KeySample): Promise<SampledKey[]> {
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
  if (nodeId === undefined) return [];
  const broker = await cluster.findBroker({ nodeId });
  const { responses } = await broker.fetch({
    maxWaitTime: 0,
    minBytes: 0,
    maxBytes: MAX_BYTES,
    isolationLevel: READ_UNCOMMITTED,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: MAX_BYTES }] }],
  });
  const keys: SampledKey[] = [];
  for (const message of responses
    .flatMap(({ partitions }) => partitions)
    .flatMap(({ messages }) => messages)) {
    if (keys.length >= KEYS_PER_SAMPLE) break;
    if (message.key === null || message.isControlRecord === true || Number(message.offset) < offset) continue;
    keys.push({ topic, partition, offset: Number(message.offset), key: message.key });
  }
  return keys;
}
