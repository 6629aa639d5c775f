import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka, Producer, TopicMessages } from "kafkajs";
import { isConcurrentTransactions, kafkaFailure, within } from "./failures.ts";

/** Offsets of one group to commit within a transaction. */
export interface TransactionOffsets {
  readonly groupId: string;
  readonly topics: {
    topic: string;
    partitions: { partition: number; offset: string; metadata: string | null }[];
  }[];
}

/** A fence waits for a transaction that a predecessor left open, at most its time-out. */
const ANSWER_MS = 30_000;
const FAREWELL_MS = 1_000;
const CONCURRENT_TRIES = 200;
const REQUEST_BYTES = 768 * 1024;
/** Headers and framing of one record, about. */
const RECORD_OVERHEAD_BYTES = 300;

/**
 * The transactional producer of one shard. After any failure it is worth nothing (a failed commit wedges it, A10): `fence`
 * makes a new one.
 */
export class ShardProducer {
  readonly #kafka: Kafka;
  readonly #transactionalId: string;
  readonly #timeoutMs: number;
  #producer: Producer | null = null;

  constructor(kafka: Kafka, transactionalId: string, timeoutMs: number) {
    this.#kafka = kafka;
    this.#transactionalId = transactionalId;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Fences every predecessor: InitProducerId is sent with the first transaction, not with connect (A10). It waits for a
   * transaction that the predecessor left open to be aborted.
   */
  async fence(): Promise<void> {
    await this.discard();
    const producer = this.#kafka.producer({
      transactionalId: this.#transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: this.#timeoutMs,
      retry: { retries: 5, initialRetryTime: 20, maxRetryTime: 500 },
    });
    this.#producer = producer;
    try {
      await within(ANSWER_MS, `fencing ${this.#transactionalId}`, beginAndAbort(producer));
    } catch (error) {
      await this.discard();
      throw kafkaFailure(`fencing ${this.#transactionalId}`, error);
    }
  }

  /** One transaction: offsets and records, all or nothing. Any error means the answer is unknown. */
  async commit(offsets: TransactionOffsets, records: TopicMessages[]): Promise<void> {
    const producer = this.#producer;
    if (producer === null) throw kafkaFailure(this.#transactionalId, new Error("it was never fenced"));
    try {
      const transacting = transact(producer, offsets, records);
      await within(ANSWER_MS, `the transaction of ${this.#transactionalId}`, transacting);
    } catch (error) {
      // Only this one: after a new fence the id has another producer, which must not suffer from what the former left behind.
      if (this.#producer === producer) await this.discard();
      throw kafkaFailure(`the transaction of ${this.#transactionalId}`, error);
    }
  }

  async discard(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    if (producer === null) return;
    // A producer that failed may fail to say goodbye too, or never come to its end; nobody waits for it.
    await within(FAREWELL_MS, "leaving", producer.disconnect()).catch(() => undefined);
  }
}

async function beginAndAbort(producer: Producer): Promise<void> {
  await producer.connect();
  const transaction = await withPatience(() => producer.transaction());
  await transaction.abort();
}

async function transact(
  producer: Producer,
  { groupId, topics }: TransactionOffsets,
  records: readonly TopicMessages[],
): Promise<void> {
  const transaction = await producer.transaction();
  // Offsets first: a transaction begun right after the last one is refused here, where it can be tried again (A10).
  await withPatience(() => transaction.sendOffsets({ consumerGroupId: groupId, topics }));
  for (const topicMessages of requestsOf(records)) await transaction.sendBatch({ topicMessages, acks: -1 });
  await transaction.commit();
}

/**
 * kafkajs makes one record batch of all that a request holds for a partition, and brokers refuse a batch over
 * `max.message.bytes` (1 MiB unless configured): a large output goes out in several requests. A single record that is larger
 * goes alone; its topic must allow it.
 */
function* requestsOf(records: readonly TopicMessages[]): Generator<TopicMessages[]> {
  let request: TopicMessages[] = [];
  let bytes = 0;
  for (const { topic, messages } of records) {
    let from = 0;
    for (const [i, { key, value }] of messages.entries()) {
      const size = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
      if (bytes > 0 && bytes + size > REQUEST_BYTES) {
        if (i > from) request.push({ topic, messages: messages.slice(from, i) });
        yield request;
        request = [];
        bytes = 0;
        from = i;
      }
      bytes += size;
    }
    if (from < messages.length) request.push({ topic, messages: messages.slice(from) });
  }
  if (request.length > 0) yield request;
}

/** Tries again, after 2–20 ms, while the markers of the transaction before are being written; passes every other error on. */
async function withPatience<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isConcurrentTransactions(error) || tries >= CONCURRENT_TRIES) throw error;
      await sleep(Math.min(20, 2 + tries * 2));
    }
  }
}
