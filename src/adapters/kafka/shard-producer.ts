import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka, Producer, TopicMessages } from "kafkajs";
import { patchCoordinators } from "./coordinator-patch.ts";
import { isConcurrentTransactions, kafkaFailure, within } from "./failures.ts";
import { requestsOf } from "./produce-requests.ts";

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

/**
 * The transactional producer of one shard, or of whoever else works under a transactional id. After any failure it is worth nothing (a failed commit wedges it, A10): `fence`
 * makes a new one.
 */
export class ShardProducer {
  readonly #kafka: Kafka;
  readonly #transactionalId: string;
  readonly #timeoutMs: number;
  #producer: Producer | null = null;

  constructor(kafka: Kafka, transactionalId: string, timeoutMs: number) {
    patchCoordinators();
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

  /** One transaction: offsets, where there are any, and records, all or nothing. Any error means the answer is unknown. */
  async commit(offsets: TransactionOffsets | null, records: TopicMessages[]): Promise<void> {
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
  offsets: TransactionOffsets | null,
  records: readonly TopicMessages[],
): Promise<void> {
  const transaction = await producer.transaction();
  // What comes first is refused, and can be tried again, when the transaction before was committed only just now (A10).
  if (offsets !== null) {
    const { groupId, topics } = offsets;
    await withPatience(() => transaction.sendOffsets({ consumerGroupId: groupId, topics }));
  }
  let isFirst = offsets === null;
  for (const topicMessages of requestsOf(records)) {
    const send = (): Promise<unknown> => transaction.sendBatch({ topicMessages, acks: -1 });
    await (isFirst ? withPatience(send) : send());
    isFirst = false;
  }
  await transaction.commit();
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
