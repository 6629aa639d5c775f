import type { Kafka, KafkaMessage, Producer, TopicMessages } from "kafkajs";
import { FACT_TOPICS } from "../../domain/events.ts";
import { RefusedError, RetriableError } from "../../pipeline/errors.ts";
import type { Committed } from "../../pipeline/ports.ts";
import type { DebugLogger } from "./client.ts";
import { kafkaFailure, within } from "./failures.ts";
import type { Checkpoint, OutboxEntry } from "./outbox-history.ts";
import { outboxEntry, outboxMessage } from "./outbox-records.ts";
import { metadataText, parseMetadata } from "./metadata-json.ts";
import type { OutboxConnection, OutboxPort } from "./outbox.ts";
import {
  committedOf,
  isOfOutbox,
  RECEIPT_TOPIC,
  receiptTextOfOutbox,
  type CommittedOffset,
} from "./receipts.ts";

/** The part of the group consumer that an outbox uses. */
export interface OutboxConsumer {
  /** What the group holds for the shard now. */
  committed(shard: number): Promise<CommittedOffset[]>;
  /** The same of the outbox's partition. */
  outboxCommitted(
    shard: number,
  ): Promise<{ readonly offset: number; readonly metadata: string | null } | null>;
  outboxStart(shard: number): Promise<number>;
  /** Hands over the outbox's records of [from, through] in order. */
  readOutbox(
    shard: number,
    from: number,
    through: number,
    visit: (offset: number, message: KafkaMessage) => void,
  ): Promise<void>;
  commitOffsets(
    offsets: { topic: string; partition: number; offset: string; metadata: string | null }[],
  ): Promise<void>;
}

export interface KafkaOutboxOptions {
  readonly groupId: string;
  readonly prefix: string;
  readonly shard: number;
  readonly logger: DebugLogger;
}

/** A request under way is given up after this long. kafkajs tries again within. */
const ANSWER_MS = 30_000;
const FAREWELL_MS = 1_000;
/** Offsets are for lag tools and a shorter recovery: nobody waits long for them. */
const FLUSH_MS = 2_000;

/** The application's own outbox; its name is told by the application id, because no two may share one. */
export function outboxTopic(prefix: string, applicationId: string): string {
  return `${prefix}${applicationId}-outbox`;
}

/** A shard's partition of the outbox topic. */
export class KafkaOutbox implements OutboxPort {
  readonly #kafka: Kafka;
  readonly #consumer: OutboxConsumer;
  readonly #options: KafkaOutboxOptions;
  readonly #topic: string;
  #latest: Checkpoint | null = null;
  #keeping: Promise<void> | null = null;

  constructor(kafka: Kafka, consumer: OutboxConsumer, options: KafkaOutboxOptions) {
    this.#kafka = kafka;
    this.#consumer = consumer;
    this.#options = options;
    this.#topic = outboxTopic(options.prefix, options.groupId);
  }

  async connect(): Promise<OutboxConnection> {
    const { shard } = this.#options;
    const doing = `writing the outbox of shard ${shard}`;
    try {
      const producer = await within(ANSWER_MS, doing, connected(this.#kafka));
      return new Connection(producer, this.#topic, shard);
    } catch (error) {
      throw kafkaFailure(doing, error);
    }
  }

  start(): Promise<number> {
    return this.#consumer.outboxStart(this.#options.shard);
  }

  read(
    from: number,
    through: number,
    visit: (offset: number, entry: OutboxEntry | null) => void,
  ): Promise<void> {
    return this.#consumer.readOutbox(this.#options.shard, from, through, (offset, message) =>
      visit(offset, outboxEntry(message)),
    );
  }

  async checkpoint(): Promise<Checkpoint | null> {
    const held = await this.#consumer.outboxCommitted(this.#options.shard);
    if (held === null || held.offset < 0 || held.metadata === null || held.metadata === "") return null;
    const { owner, committed } = parseMetadata(held.metadata) as Omit<Checkpoint, "next">;
    return { next: held.offset, owner, committed };
  }

  keep(checkpoint: Checkpoint): void {
    this.#latest = checkpoint;
    this.#keeping ??= this.#keepLatest().finally(() => (this.#keeping = null));
  }

  async flush(): Promise<void> {
    if (this.#keeping === null) return;
    await within(FLUSH_MS, "committing offsets", this.#keeping).catch(() => undefined);
  }

  async inherited(): Promise<Committed | null> {
    const { groupId, shard } = this.#options;
    const committed = await this.#consumer.committed(shard);
    if (!isOfOutbox(committed)) return committedOf(committed, `shard ${shard} in group ${groupId}`);
    throw new RefusedError(
      "OUTBOX_LOST",
      `shard ${shard} has been run at least once, but nothing that was decided is in ${this.#topic}: the topic was made anew. ` +
        "Restore it, or start under a fresh CLIENTELA_APPLICATION_ID",
    );
  }

  async #keepLatest(): Promise<void> {
    while (this.#latest !== null) {
      const checkpoint = this.#latest;
      this.#latest = null;
      try {
        await this.#consumer.commitOffsets(this.#offsetsOf(checkpoint));
      } catch (error) {
        // The outbox knows all that these say; the next ones will be kept, or the next fence reads more.
        this.#options.logger.debug(
          { shard: this.#options.shard, error: String(error) },
          "offsets not committed",
        );
      }
    }
  }

  #offsetsOf({ next, owner, committed }: Checkpoint): Parameters<OutboxConsumer["commitOffsets"]>[0] {
    const { prefix, shard: partition } = this.#options;
    const offsets = FACT_TOPICS.map((topic) => ({
      topic: prefix + topic,
      partition,
      offset: String(committed.offsets[topic] ?? 0),
      metadata: topic === RECEIPT_TOPIC ? receiptTextOfOutbox(committed) : null,
    }));
    const metadata = metadataText({ owner, committed });
    return [...offsets, { topic: this.#topic, partition, offset: String(next), metadata }];
  }
}

/** Without transactions, but without repeats on a lost answer where the brokers can tell (an idempotent producer). */
async function connected(kafka: Kafka): Promise<Producer> {
  const retry = { retries: 5, initialRetryTime: 20, maxRetryTime: 500 };
  const idempotent = kafka.producer({ idempotent: true, maxInFlightRequests: 1, retry });
  try {
    await idempotent.connect();
    return idempotent;
  } catch (error) {
    await idempotent.disconnect().catch(() => undefined);
    if (!isNotIdempotent(error)) throw error;
  }
  const plain = kafka.producer({ maxInFlightRequests: 1, retry });
  await plain.connect();
  return plain;
}

/** The broker does not know InitProducerId, or this user may not use it. */
function isNotIdempotent(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause.name === "KafkaJSServerDoesNotSupportApiKey" || cause.name === "KafkaJSNotImplemented")
      return true;
    const type = "type" in cause ? cause.type : null;
    if (type === "UNSUPPORTED_VERSION" || type === "CLUSTER_AUTHORIZATION_FAILED") return true;
  }
  return false;
}

class Connection implements OutboxConnection {
  readonly #producer: Producer;
  readonly #topic: string;
  readonly #shard: number;

  constructor(producer: Producer, topic: string, shard: number) {
    this.#producer = producer;
    this.#topic = topic;
    this.#shard = shard;
  }

  async append(entries: readonly OutboxEntry[]): Promise<number> {
    const doing = `writing the outbox of shard ${this.#shard}`;
    const messages = entries.map((entry) => outboxMessage(entry, this.#shard));
    try {
      const sending = this.#producer.send({ topic: this.#topic, messages, acks: -1 });
      const [answer] = await within(ANSWER_MS, doing, sending);
      if (answer?.baseOffset === undefined) {
        throw new RetriableError("KAFKA_TROUBLE", `${doing}: the broker does not say where the records are`);
      }
      return Number(answer.baseOffset);
    } catch (error) {
      throw kafkaFailure(doing, error);
    }
  }

  async publish(topicMessages: TopicMessages[]): Promise<void> {
    const doing = `publishing from shard ${this.#shard}`;
    try {
      await within(ANSWER_MS, doing, this.#producer.sendBatch({ topicMessages, acks: -1 }));
    } catch (error) {
      throw kafkaFailure(doing, error);
    }
  }

  async close(): Promise<void> {
    await within(FAREWELL_MS, "leaving", this.#producer.disconnect()).catch(() => undefined);
  }
}
