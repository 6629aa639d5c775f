import type { Consumer, Kafka, KafkaMessage } from "kafkajs";
import { RefusedError } from "../../pipeline/errors.ts";
import type { DebugLogger } from "./client.ts";
import type { CommitStrategy, Delivery } from "./commit-strategy.ts";
import { KafkaOutbox, outboxTopic, type OutboxConsumer } from "./kafka-outbox.ts";
import { OutboxReader } from "./outbox-reader.ts";
import { Outbox } from "./outbox.ts";
import type { CommittedOffset } from "./receipts.ts";
import { ShardProducer } from "./shard-producer.ts";
import { TransactionalCommit } from "./transactional-commit.ts";

/** What a delivery needs of the group's consumer, and what it makes of a shard. */
export interface CommitStrategies {
  /** Topics to be read besides the facts, shard p being partition p; whole names. */
  readonly topics: readonly string[];
  of(shard: number): CommitStrategy;
  /** Records of one of `topics`. */
  deliver(topic: string, shard: number, messages: readonly KafkaMessage[]): void;
  /** The group has been joined (again), with these shards. */
  restart(shards: Iterable<number>): void;
}

export interface CommitParts {
  readonly kafka: Kafka;
  readonly consumer: Consumer;
  readonly groupId: string;
  readonly prefix: string;
  readonly transactionTimeoutMs: number;
  readonly logger: DebugLogger;
  /** Does something with the consumer, or nothing while it is away. */
  steer(steer: () => void): void;
  /** What the group holds of the facts' partitions of a shard. */
  committed(shard: number): Promise<CommittedOffset[]>;
  /** The same of one partition of another topic that is read; null: nothing. */
  committedOf(
    topic: string,
    shard: number,
  ): Promise<{ readonly offset: number; readonly metadata: string | null } | null>;
  /** First offset that a partition still holds. */
  start(topic: string, shard: number): Promise<number>;
}

/** The one place that knows which delivery is which. */
export function commitStrategies(delivery: Delivery, parts: CommitParts): CommitStrategies {
  return delivery === "exactly-once" ? transactional(parts) : throughOutbox(parts);
}

function transactional(parts: CommitParts): CommitStrategies {
  const { kafka, groupId, prefix, transactionTimeoutMs } = parts;
  return {
    topics: [],
    of: (shard) => {
      const producer = new ShardProducer(kafka, `${groupId}-${shard}`, transactionTimeoutMs);
      return new TransactionalCommit(producer, () => parts.committed(shard), { groupId, prefix, shard });
    },
    deliver: () => undefined,
    restart: () => undefined,
  };
}

function throughOutbox(parts: CommitParts): CommitStrategies {
  const { kafka, consumer, groupId, prefix, logger } = parts;
  const topic = outboxTopic(prefix, groupId);
  const reader = new OutboxReader({
    seek: (partition, offset) =>
      parts.steer(() => consumer.seek({ topic, partition, offset: String(offset) })),
    resume: (shard) => parts.steer(() => consumer.resume([{ topic, partitions: [shard] }])),
    pause: (shard) => parts.steer(() => consumer.pause([{ topic, partitions: [shard] }])),
  });
  const reading: OutboxConsumer = {
    committed: (shard) => parts.committed(shard),
    outboxCommitted: (shard) => parts.committedOf(topic, shard),
    outboxStart: (shard) => parts.start(topic, shard),
    readOutbox: (shard, from, through, visit) => reader.read(shard, from, through, visit),
    commitOffsets: (offsets) => consumer.commitOffsets(offsets),
  };
  return {
    topics: [topic],
    of: (shard) => new Outbox(new KafkaOutbox(kafka, reading, { groupId, prefix, shard, logger }), shard),
    deliver: (from, shard, messages) => {
      if (from === topic) reader.deliver(shard, messages);
    },
    restart: (shards) => reader.restart(shards),
  };
}

/** What a broker means that refuses this member's protocol. */
export function otherDelivery(groupId: string, delivery: Delivery, cause: Error): RefusedError {
  return new RefusedError(
    "DELIVERY_DIFFERS",
    `group ${groupId} has members that do not run with CLIENTELA_DELIVERY=${delivery}, or are another program. ` +
      "Stop all processes of this application id, and start them with one setting",
    cause,
  );
}
