import type { IHeaders, KafkaMessage } from "kafkajs";
import { FACT_TOPICS, type FactTopic } from "../../domain/events.ts";
import { instant, type Instant } from "../../shared/instant.ts";

/** Where a refused record stood; `topic` is the whole name. */
export interface LetterSource {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A record that was refused: as it came, and where it came from and why it was refused (A6). */
export interface DeadLetterRecord {
  /** `topic-partition@offset` of its source: for people. */
  readonly id: string;
  /**
   * What tells it from every other, however often it was published: a record is refused once. A topic that is made anew counts its
   * offsets from 0 again, so the topic's own id belongs to it; letters of before that was said, and brokers older than 2.8, have none.
   */
  readonly identity: string;
  readonly reason: string;
  readonly message: string;
  readonly source: LetterSource;
  /** The source by its logical name; null: no input of this installation. */
  readonly topic: FactTopic | null;
  readonly refusedAt: Instant;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** As the sender gave them. */
  readonly headers: IHeaders;
}

/** Which dead letters are meant; whatever is null or empty leaves none out. */
export interface LetterSelection {
  readonly reasons: readonly string[];
  /** Logical or whole name. */
  readonly topic: string | null;
  /** Refused at or after, and before. */
  readonly since: Instant | null;
  readonly until: Instant | null;
  /** `id`s. */
  readonly records: readonly string[];
}

const ERROR_PREFIX = "clientela_error_";

/** Reads a record of `segment-dead-letters`. */
export function deadLetterOf(message: KafkaMessage, prefix: string): DeadLetterRecord {
  const error = (name: string): string => {
    const value = message.headers?.[ERROR_PREFIX + name];
    return (Array.isArray(value) ? value.at(-1) : value)?.toString() ?? "";
  };
  const source = {
    topic: error("topic"),
    partition: Number(error("partition")),
    offset: Number(error("offset")),
  };
  const headers = Object.create(null) as IHeaders;
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    if (!name.startsWith(ERROR_PREFIX)) headers[name] = value;
  }
  const id = `${source.topic}-${source.partition}@${source.offset}`;
  const topicId = error("topic_id");
  return {
    id,
    identity: topicId === "" ? id : `${id} ${topicId}`,
    reason: error("reason"),
    message: error("message"),
    source,
    topic: FACT_TOPICS.find((topic) => prefix + topic === source.topic) ?? null,
    refusedAt: instant(Number(message.timestamp)),
    key: message.key,
    value: message.value,
    headers,
  };
}

export function isSelected(letter: DeadLetterRecord, selection: LetterSelection): boolean {
  const { reasons, topic, since, until, records } = selection;
  return (
    (reasons.length === 0 || reasons.includes(letter.reason)) &&
    (topic === null || topic === letter.topic || topic === letter.source.topic) &&
    (since === null || letter.refusedAt >= since) &&
    (until === null || letter.refusedAt < until) &&
    (records.length === 0 || records.includes(letter.id))
  );
}

/** Its headers as a decoder wants them. */
export function headerList(headers: IHeaders): (readonly [string, Uint8Array])[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    // A header without a value comes as null, whatever kafkajs's types say.
    ((Array.isArray(value) ? value : [value]) as (Buffer | string | null | undefined)[]).map(
      (each) => [name, Buffer.from(each ?? "")] as const,
    ),
  );
}
