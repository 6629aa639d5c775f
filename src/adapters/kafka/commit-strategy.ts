import type { TopicMessages } from "kafkajs";
import type { Committed } from "../../pipeline/ports.ts";

/** Promise to subscribers: each change once, or each at least once and repeats that are the same to the byte. */
export type Delivery = "exactly-once" | "at-least-once";

/**
 * How a shard's outputs, offsets and receipt become one decision (A4 step 2), and how a predecessor is kept from making another.
 * One for brokers with transactions, one for those without; nothing else asks which one it is.
 */
export interface CommitStrategy {
  /** See ShardLog.fence. */
  fence(): Promise<Committed | null>;
  /** Outputs and what they came from: all or nothing. Any error means the answer is unknown; only a new fence goes on. */
  commit(outputs: TopicMessages[], committed: Committed): Promise<void>;
  close(): Promise<void>;
}
