import type { Consumer, Kafka, PartitionAssigner } from "kafkajs";

export interface GroupConsumerOptions {
  readonly groupId: string;
  readonly assigner: PartitionAssigner;
  readonly sessionTimeoutMs: number;
  /** Whether to join again after a crash. */
  readonly isWanted: () => boolean;
}

/**
 * A member learns with its next heartbeat that the group is to share out anew, and all wait for the last one: this, and not the
 * session time-out, is what a hand-over waits for. One costs a broker about as much as an empty fetch, of which there are ten a second.
 */
const HEARTBEAT_MS = 250;
/** How long a fetch waits for data. */
const FETCH_WAIT_MS = 100;
/**
 * What one fetch brings of a partition at most (a larger record comes alone). Records that wait to be folded outlive the young
 * generation, and a MiB of small ones costs more in garbage collection than further fetches do.
 */
const FETCH_BYTES = 262_144;

/** A member of a group that shares shards out and reads committed data. */
export function groupConsumer(kafka: Kafka, options: GroupConsumerOptions): Consumer {
  const { groupId, assigner, sessionTimeoutMs, isWanted } = options;
  return kafka.consumer({
    groupId,
    partitionAssigners: [assigner],
    readUncommitted: false,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    maxBytesPerPartition: FETCH_BYTES,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: Math.min(HEARTBEAT_MS, Math.floor(sessionTimeoutMs / 4)),
    rebalanceTimeout: 30_000,
    // kafkajs would wait up to 30 s between tries: so much longer than the brokers the shards would be away.
    retry: {
      retries: 8,
      initialRetryTime: 50,
      maxRetryTime: 2_000,
      restartOnFailure: () => Promise.resolve(isWanted()),
    },
  });
}
