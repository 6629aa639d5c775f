import type { KafkaMessage } from "kafkajs";
import type { FactTopic } from "../../domain/events.ts";
import type { SourceRecord } from "../../pipeline/ports.ts";
import { instant, type Instant } from "../../shared/instant.ts";

const NO_HEADERS: SourceRecord["headers"] = [];

/** Reads of the message only what is asked for: most records are looked at once, after they have waited. */
export class KafkaRecord implements SourceRecord {
  readonly topic: FactTopic;
  readonly partition: number;
  readonly offset: number;
  readonly #message: KafkaMessage;
  readonly #isAppendTime: boolean;

  constructor(
    topic: FactTopic,
    partition: number,
    offset: number,
    message: KafkaMessage,
    isAppendTime: boolean,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.#message = message;
    this.#isAppendTime = isAppendTime;
  }

  get arrivedAt(): Instant | null {
    return this.#isAppendTime ? instant(Number(this.#message.timestamp)) : null;
  }

  get key(): Uint8Array | null {
    return this.#message.key;
  }

  get value(): Uint8Array | null {
    return this.#message.value;
  }

  get headers(): SourceRecord["headers"] {
    const { headers } = this.#message;
    return headers === undefined ? NO_HEADERS : headersOf(headers);
  }
}

function headersOf(headers: NonNullable<KafkaMessage["headers"]>): SourceRecord["headers"] {
  const list: [string, Uint8Array][] = [];
  for (const [name, value] of Object.entries(headers)) {
    // A header without a value (KIP-82) comes as null, whatever kafkajs's types say; it can't send one on, so it goes on as empty.
    for (const each of (Array.isArray(value) ? value : [value]) as (Buffer | string | null | undefined)[]) {
      list.push([name, Buffer.from(each ?? "")]);
    }
  }
  return list;
}
