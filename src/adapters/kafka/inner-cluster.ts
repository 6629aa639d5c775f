import type { Kafka } from "kafkajs";

/** The parts of kafkajs's cluster that requests outside its clients need; they are not in its types. */
export interface InnerCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number }[];
  findBroker(query: { nodeId: string }): Promise<InnerBroker>;
  /** Where partitions begin (`fromBeginning`) or end for a reader of the cluster's isolation level: one request to each leader. */
  fetchTopicsOffset(
    topics: readonly {
      topic: string;
      partitions: readonly { partition: number }[];
      fromBeginning: boolean;
    }[],
  ): Promise<TopicOffsets[]>;
  /** With KRaft any broker: clients are not told who the controller is. */
  findControllerBroker(): Promise<InnerBroker>;
}

export interface InnerBroker {
  fetch(request: {
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
  }): Promise<{ responses: { partitions: FetchedPartition[] }[] }>;
  metadata(topics: readonly string[]): Promise<{
    clusterId: string | null;
    topicMetadata: { topicErrorCode: number; topic: string; partitionMetadata: unknown[] }[];
  }>;
  /** What the broker speaks, by API key. */
  readonly versions: Readonly<Record<number, { readonly maxVersion: number } | undefined>> | null;
  readonly connectionPool: {
    send(request: {
      readonly request: {
        readonly apiKey: number;
        readonly apiVersion: number;
        readonly apiName: string;
        encode(): Promise<unknown>;
      };
      readonly response: {
        decode(bytes: Buffer): Promise<unknown>;
        parse(decoded: unknown): Promise<unknown>;
      };
    }): Promise<unknown>;
  };
}

export interface TopicOffsets {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
}

export interface FetchedPartition {
  readonly messages: FetchedMessage[];
  /** Missing from brokers without transactions (before 0.11). */
  readonly lastStableOffset?: string;
}

export interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly isControlRecord?: boolean;
}

const CREATE_CLUSTER = "private:Kafka:createCluster";
export const READ_UNCOMMITTED = 0;
export const READ_COMMITTED = 1;

/**
 * A cluster of one's own, to be connected and disconnected by whoever asked: kafkajs fetches only for groups, and asks only for what
 * its protocol versions know, so what else is needed is asked of its inside (2.2.4, which is pinned).
 */
export function innerCluster(kafka: Kafka, isolationLevel: number = READ_UNCOMMITTED): InnerCluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === CREATE_CLUSTER,
  );
  if (symbol === undefined) throw new Error("this is not the kafkajs whose inside is known (2.2.4)");
  const create = (kafka as unknown as Record<symbol, (options: object) => InnerCluster>)[symbol];
  if (create === undefined) throw new Error("kafkajs has no cluster");
  return create({ allowAutoTopicCreation: false, metadataMaxAge: 300_000, isolationLevel });
}

/** Where one fetch begins, and how much it brings: the first batch there is comes whole, however small `maxBytes` (KIP-74). */
export interface PartitionFetch {
  /** Whole name. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
}

/** What the leader holds of one partition just now; null: it has no leader, or nothing was said of it. */
export async function fetchPartition(
  cluster: InnerCluster,
  { topic, partition, offset, maxBytes, isolationLevel }: PartitionFetch,
): Promise<FetchedPartition | null> {
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
  if (nodeId === undefined) return null;
  const broker = await cluster.findBroker({ nodeId });
  const { responses } = await broker.fetch({
    maxWaitTime: 0,
    minBytes: 0,
    maxBytes,
    isolationLevel,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes }] }],
  });
  return responses.flatMap(({ partitions }) => partitions)[0] ?? null;
}
