import type { KafkaMessage, Message, TopicMessages } from "kafkajs";
import { FACT_TOPICS, type FactTopic } from "../../domain/events.ts";
import type { CustomerSegment, SegmentChange } from "../../domain/change.ts";
import type { Referral } from "../../domain/events.ts";
import type { LogIdentity } from "../../pipeline/log-identity.ts";
import type {
  BatchOutput,
  Committed,
  DeadLetter,
  Offsets,
  OutputPacking,
  ShardLog,
  SourceRecord,
} from "../../pipeline/ports.ts";
import type { Instant } from "../../shared/instant.ts";
import { nameUuid, uuidBytes } from "../../shared/name-uuid.ts";
import { partitionOf } from "../../shared/murmur2.ts";
import type { CommitStrategy } from "./commit-strategy.ts";
import { KafkaRecord } from "./kafka-record.ts";
import { refuseOutOfRange, type LogEnds } from "./log-ends.ts";
import { TopicBuffer } from "./topic-buffer.ts";

/** Output records as bytes; injected, because adapters don't know each other. */
export interface OutputEncoder {
  change(change: SegmentChange): Buffer;
  segment(segment: CustomerSegment): Buffer;
  event(referral: Referral): Buffer;
  headers(change: SegmentChange): Record<string, string>;
}

/** The part of the group consumer that a shard steers. */
export interface ShardConsumer {
  pause(topic: FactTopic, shard: number): void;
  resume(topic: FactTopic, shard: number): void;
  seek(topic: FactTopic, shard: number, offset: number): void;
}

/** What one fetch brought of a partition. */
export interface Fetched {
  /** The offset it asked for. */
  readonly from: number;
  /** The offset after all that it brought, control and aborted records included. */
  readonly next: number;
  readonly messages: readonly KafkaMessage[];
  /** The broker stamped the records when it appended them. */
  readonly isAppendTime: boolean;
}

export interface ShardLogOptions {
  readonly identity: LogIdentity;
  /** A topic's fetch is paused at this many buffered records and goes on below half of them. */
  readonly maxBufferedRecords: number;
}

/** Name space of the ids of tombstones. */
const ERASURES = uuidBytes("5c1c0a3e-8f0b-4c0e-9d39-0f6f3f9f6f11");

/** One shard of the Kafka log (A3, A4). */
export class KafkaShardLog implements ShardLog {
  readonly shard: number;
  readonly packing: OutputPacking;
  readonly identity: LogIdentity;
  readonly #consumer: ShardConsumer;
  readonly #commits: CommitStrategy;
  readonly #ends: LogEnds;
  readonly #encoder: OutputEncoder;
  readonly #options: ShardLogOptions;
  readonly #buffers = new Map<FactTopic, TopicBuffer>(FACT_TOPICS.map((topic) => [topic, new TopicBuffer()]));
  readonly #waiters = new Set<() => void>();
  #isReading = false;

  constructor(
    shard: number,
    consumer: ShardConsumer,
    commits: CommitStrategy,
    ends: LogEnds,
    encoder: OutputEncoder,
    options: ShardLogOptions,
  ) {
    this.shard = shard;
    this.packing = packingOf(encoder, shard);
    this.identity = options.identity;
    this.#consumer = consumer;
    this.#commits = commits;
    this.#ends = ends;
    this.#encoder = encoder;
    this.#options = options;
  }

  async fence(): Promise<Committed | null> {
    this.#isReading = false;
    return this.#commits.fence();
  }

  async seek(offsets: Offsets): Promise<void> {
    this.#isReading = false;
    await this.#ends.refresh();
    for (const topic of FACT_TOPICS) {
      const offset = offsets[topic] ?? this.#ends.of(topic, this.shard)?.low ?? 0;
      this.#refuseOutOfRange(topic, offset);
      const buffer = this.#buffer(topic);
      buffer.records = [];
      buffer.moveTo(offset);
    }
    this.#isReading = true;
    this.restart();
  }

  /**
   * A broker has said that the position of some topic is not in the log. Reads on when it was wrong, as one that has just become the
   * leader may be.
   * @throws RefusedError when it was right, RetriableError when nobody can be asked
   */
  async verifyPositions(): Promise<void> {
    if (!this.#isReading) return;
    await this.#ends.refresh();
    for (const [topic, buffer] of this.#buffers) this.#refuseOutOfRange(topic, buffer.position);
    this.restart();
  }

  #refuseOutOfRange(topic: FactTopic, offset: number): void {
    const place = `${this.identity.prefix}${topic}-${this.shard}`;
    refuseOutOfRange(place, offset, this.#ends.of(topic, this.shard));
  }

  /** Reads on from the positions: after a seek, and after the group has been joined again. */
  restart(): void {
    if (!this.#isReading) return;
    for (const [topic, buffer] of this.#buffers) {
      this.#consumer.seek(topic, this.shard, buffer.position);
      if (buffer.records.length < this.#options.maxBufferedRecords) this.#resume(topic, buffer);
    }
  }

  deliver(topic: FactTopic, { from, next, messages, isAppendTime }: Fetched): void {
    if (!this.#isReading) return;
    const buffer = this.#buffer(topic);
    if (from > buffer.position) {
      // It was asked for before a seek: what lies between has not been read.
      this.#consumer.seek(topic, this.shard, buffer.position);
      return;
    }
    for (const message of messages) {
      const offset = Number(message.offset);
      if (offset >= buffer.position)
        buffer.records.push(new KafkaRecord(topic, this.shard, offset, message, isAppendTime));
    }
    if (next > buffer.position) buffer.moveTo(next);
    if (buffer.records.length >= this.#options.maxBufferedRecords) {
      buffer.isPaused = true;
      this.#consumer.pause(topic, this.shard);
    }
    this.wake();
  }

  /** There is nothing to be delivered in [from, next): control records, aborted ones, or none. */
  pass(topic: FactTopic, from: number, next: number): void {
    const buffer = this.#buffer(topic);
    if (!this.#isReading || from > buffer.position || next <= buffer.position) return;
    buffer.moveTo(next);
    this.wake();
  }

  buffered(topic: FactTopic): readonly SourceRecord[] {
    return this.#buffer(topic).records;
  }

  take(topic: FactTopic, count: number): void {
    const buffer = this.#buffer(topic);
    buffer.take(count);
    if (buffer.isPaused && this.#isReading && buffer.records.length * 2 < this.#options.maxBufferedRecords) {
      this.#resume(topic, buffer);
    }
  }

  position(topic: FactTopic): number {
    return this.#buffer(topic).position;
  }

  caughtUp(topic: FactTopic, since: Instant): boolean {
    const buffer = this.#buffer(topic);
    const ends = this.#ends.of(topic, this.shard);
    if (!this.#isReading || buffer.isPaused || buffer.records.length > 0) return false;
    return ends !== null && ends.askedAt > since && buffer.position >= ends.high;
  }

  /** Topics that end behind their position, and of which nothing has come for `ms`, with that position. */
  overdue(ms: number): readonly (readonly [topic: FactTopic, position: number])[] {
    if (!this.#isReading) return [];
    return [...this.#buffers].flatMap(([topic, { records, position, movedAt, isPaused }]) => {
      const ends = this.#ends.of(topic, this.shard);
      const isAwaited = !isPaused && records.length === 0 && ends !== null && position < ends.high;
      return isAwaited && Date.now() - movedAt >= ms ? [[topic, position] as const] : [];
    });
  }

  changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiters.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiters.add(done);
      signal.addEventListener("abort", done);
    });
  }

  /** Something was delivered, or the ends or the fetch cycle moved on. */
  wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  knownEnd(topic: FactTopic): number | null {
    return this.#ends.of(topic, this.shard)?.high ?? null;
  }

  async ends(): Promise<Offsets> {
    await this.#ends.refresh();
    return Object.fromEntries(FACT_TOPICS.map((topic) => [topic, this.knownEnd(topic) ?? 0]));
  }

  async commit(output: BatchOutput<unknown, unknown>, committed: Committed): Promise<void> {
    const records = this.#records(output as BatchOutput<Message, Message>, committed.receipt.seq);
    await this.#commits.commit(records, committed);
  }

  async close(): Promise<void> {
    this.#isReading = false;
    await this.#commits.close();
  }

  #records(
    { changes, segments, referrals, deadLetters }: BatchOutput<Message, Message>,
    seq: number,
  ): TopicMessages[] {
    const { prefix, shards } = this.identity;
    const records: TopicMessages[] = [];
    const add = (topic: string, messages: TopicMessages["messages"]): void => {
      if (messages.length > 0) records.push({ topic: prefix + topic, messages });
    };
    add(
      "segment-changes",
      changes.map(({ customerId, change }, i) => change ?? this.#erasure(customerId, seq, i)),
    );
    add(
      "customer-segments",
      segments.map(({ customerId, segment }) => segment ?? this.#tombstone(customerId)),
    );
    add(
      "referrals",
      referrals.map((referral) => ({
        key: referral.customerId,
        partition: partitionOf(Buffer.from(referral.customerId, "utf8"), shards),
        value: this.#encoder.event(referral),
      })),
    );
    add(
      "segment-dead-letters",
      deadLetters.map((deadLetter) => this.#deadLetter(deadLetter)),
    );
    return records;
  }

  #tombstone(customerId: string): Message {
    return { key: customerId, value: null, partition: this.shard };
  }

  /** A change says its `changeId` in its value; a tombstone has none, so a header says it: repeats are told by it (A4). */
  #erasure(customerId: string, seq: number, index: number): Message {
    const changeId = nameUuid(ERASURES, `${this.shard}:${seq}:${index}:${customerId}`);
    return { ...this.#tombstone(customerId), headers: { changeId } };
  }

  /** Key, value and headers as they came, and where they came from and why they were refused (A6). */
  #deadLetter({ record, reason, message }: DeadLetter): TopicMessages["messages"][number] {
    // Whoever named the headers may have named one __proto__.
    const headers = Object.create(null) as Record<string, Buffer | string | (Buffer | string)[]>;
    for (const [name, value] of record.headers) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      const known = headers[name];
      headers[name] = known === undefined ? bytes : Array.isArray(known) ? [...known, bytes] : [known, bytes];
    }
    headers["clientela_error_topic"] = this.identity.prefix + record.topic;
    headers["clientela_error_partition"] = String(record.partition);
    headers["clientela_error_offset"] = String(record.offset);
    const topicId = this.identity.topics[record.topic];
    if (topicId !== undefined) headers["clientela_error_topic_id"] = topicId;
    headers["clientela_error_reason"] = reason;
    headers["clientela_error_message"] = message;
    return {
      key: record.key === null ? null : Buffer.from(record.key),
      value: record.value === null ? null : Buffer.from(record.value),
      partition: this.shard,
      headers,
    };
  }

  #resume(topic: FactTopic, buffer: TopicBuffer): void {
    buffer.isPaused = false;
    this.#consumer.resume(topic, this.shard);
  }

  #buffer(topic: FactTopic): TopicBuffer {
    const buffer = this.#buffers.get(topic);
    if (buffer === undefined) throw new Error(`no buffer for ${topic}`);
    return buffer;
  }
}

/** Outputs as messages of the shard's partition: a shard's customers are those of its partition. */
export function packingOf(encoder: OutputEncoder, shard: number): OutputPacking {
  return {
    change: (change): Message => ({
      key: change.customerId,
      partition: shard,
      value: encoder.change(change),
      headers: encoder.headers(change),
    }),
    segment: (segment): Message => ({
      key: segment.customerId,
      partition: shard,
      value: encoder.segment(segment),
    }),
  };
}
