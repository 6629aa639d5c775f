import type { KafkaMessage } from "kafkajs";
import type { FactTopic } from "../../domain/events.ts";
import type { RefusedError } from "../../pipeline/errors.ts";
import { partitionOf } from "../../shared/murmur2.ts";
import { describeKey, keysMisplaced, STRAY_ONE_IN } from "./key-check.ts";

/** Keys of one fetch that are looked at, while all sit where they should. */
const KEYS_PER_FETCH = 8;
/** So many different keys are remembered of a topic, the newest. */
const KEYS_REMEMBERED = 500;
/** A record that somebody sent by hand is no partitioner. */
const LEAST_MISPLACED = 3;

export interface KeyWatchOptions {
  readonly prefix: string;
  readonly shards: number;
  /** Whole names of topics whose stray keys people know of already. */
  readonly warned: ReadonlySet<string>;
  readonly logger: { warn(fields: object, message: string): void };
}

/** Looks at some keys of what is read, all the time: a producer with another partitioner may begin long after the start (A3). */
export class KeyWatch {
  readonly #options: KeyWatchOptions;
  /** Key and partition → whether it sits elsewhere. */
  readonly #seen = new Map<FactTopic, Map<string, boolean>>();
  readonly #warned: Set<string>;

  constructor(options: KeyWatchOptions) {
    this.#options = options;
    this.#warned = new Set(options.warned);
  }

  /** What one fetch brought of a partition; an error when so many keys sit elsewhere that it must be the partitioner. */
  look(topic: FactTopic, partition: number, messages: readonly KafkaMessage[]): RefusedError | null {
    const { shards, prefix, logger } = this.#options;
    if (shards < 2) return null;
    const isAstray = ({ key }: KafkaMessage): boolean =>
      key !== null && partitionOf(key, shards) !== partition;
    const sampled = everyFew(messages);
    const stray = sampled.find(isAstray);
    let seen = this.#seen.get(topic);
    if (seen === undefined) this.#seen.set(topic, (seen = new Map<string, boolean>()));
    for (const message of stray === undefined ? sampled : messages) {
      if (message.key !== null) seen.set(`${partition} ${message.key.toString("latin1")}`, isAstray(message));
    }
    for (const oldest of seen.keys()) {
      if (seen.size <= KEYS_REMEMBERED) break;
      seen.delete(oldest);
    }
    if (stray?.key === undefined || stray.key === null) return null;
    const misplaced = [...seen.values()].filter(Boolean).length;
    const found = describeKey({ key: stray.key, partition, offset: Number(stray.offset) }, shards);
    if (misplaced >= LEAST_MISPLACED && misplaced * STRAY_ONE_IN > seen.size) {
      return keysMisplaced(prefix + topic, { misplaced, sampled: seen.size }, found, shards);
    }
    if (!this.#warned.has(prefix + topic)) {
      this.#warned.add(prefix + topic);
      logger.warn(
        { topic: prefix + topic, sampled: seen.size, misplaced, ...found },
        "some keys are not where Java's murmur2 puts them: facts of these customers are in two shards",
      );
    }
    return null;
  }
}

/** A few of many, spread evenly. */
function everyFew(messages: readonly KafkaMessage[]): KafkaMessage[] {
  const step = Math.max(1, Math.ceil(messages.length / KEYS_PER_FETCH));
  const few: KafkaMessage[] = [];
  for (let i = 0; i < messages.length; i += step) {
    const message = messages[i];
    if (message !== undefined) few.push(message);
  }
  return few;
}
