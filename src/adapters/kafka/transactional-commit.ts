import type { TopicMessages } from "kafkajs";
import { FACT_TOPICS } from "../../domain/events.ts";
import { RefusedError } from "../../pipeline/errors.ts";
import type { Committed } from "../../pipeline/ports.ts";
import type { CommitStrategy } from "./commit-strategy.ts";
import { committedOf, isOfOutbox, RECEIPT_TOPIC, receiptText, type CommittedOffset } from "./receipts.ts";
import type { ShardProducer } from "./shard-producer.ts";

export interface TransactionalCommitOptions {
  readonly groupId: string;
  readonly prefix: string;
  readonly shard: number;
}

/** Exactly once: outputs, offsets and receipt in one transaction of the shard's transactional id (A4). */
export class TransactionalCommit implements CommitStrategy {
  readonly #producer: ShardProducer;
  readonly #committed: () => Promise<CommittedOffset[]>;
  readonly #options: TransactionalCommitOptions;

  /** `committed`: what the group holds for the shard now. */
  constructor(
    producer: ShardProducer,
    committed: () => Promise<CommittedOffset[]>,
    options: TransactionalCommitOptions,
  ) {
    this.#producer = producer;
    this.#committed = committed;
    this.#options = options;
  }

  async fence(): Promise<Committed | null> {
    await this.#producer.fence();
    const { groupId, shard } = this.#options;
    const committed = await this.#committed();
    if (isOfOutbox(committed)) {
      throw new RefusedError(
        "DELIVERY_CHANGED",
        `shard ${shard} was last run with CLIENTELA_DELIVERY=at-least-once, whose outbox knows where it stands. Set it back, ` +
          "or start under a fresh CLIENTELA_APPLICATION_ID with CLIENTELA_FIRST_START=silent",
      );
    }
    return committedOf(committed, `shard ${shard} in group ${groupId}`);
  }

  async commit(outputs: TopicMessages[], { offsets, receipt }: Committed): Promise<void> {
    const { groupId, prefix, shard } = this.#options;
    const metadata = receiptText(receipt, offsets);
    const topics = FACT_TOPICS.map((topic) => ({
      topic: prefix + topic,
      partitions: [
        {
          partition: shard,
          offset: String(offsets[topic] ?? 0),
          metadata: topic === RECEIPT_TOPIC ? metadata : null,
        },
      ],
    }));
    await this.#producer.commit({ groupId, topics }, outputs);
  }

  async close(): Promise<void> {
    await this.#producer.discard();
  }
}
