import { FACT_TOPICS } from "../../domain/events.ts";
import { RefusedError } from "../../pipeline/errors.ts";
import { NEW_TOPICS, refuseOtherLog, type LogIdentity } from "../../pipeline/log-identity.ts";
import type { TopicFacts } from "./topic-facts.ts";

/** What the log is, by what a broker says of its topics. */
export function identityOf({ cluster, ids }: TopicFacts, prefix: string, shards: number): LogIdentity {
  // In the order of the topics, so that the same log is always the same text.
  const topics = Object.fromEntries(
    FACT_TOPICS.flatMap((topic) => {
      const id = ids.get(topic);
      return id === undefined ? [] : [[topic, id] as const];
    }),
  );
  return { cluster, prefix, shards, topics };
}

/**
 * Refuses when the topics are not those any more that were there at the start: partitions were added, or a topic was deleted and made
 * anew. One that is missing is waited for.
 * @throws RefusedError PARTITIONS_CHANGED, TOPICS_REPLACED
 */
export function refuseChangedTopics(identity: LogIdentity, facts: TopicFacts): void {
  const { prefix, shards } = identity;
  const changed = FACT_TOPICS.filter((topic) => (facts.partitions.get(topic) ?? shards) !== shards);
  if (changed.length > 0) {
    const counts = changed.map((topic) => `${prefix}${topic} has ${facts.partitions.get(topic) ?? 0}`);
    throw new RefusedError(
      "PARTITIONS_CHANGED",
      `the inputs had ${shards} partitions each, now ${counts.join(", ")}: keys fall into other partitions than before, and a customer's facts would not meet. ${NEW_TOPICS}`,
    );
  }
  refuseOtherLog("what this process has read", identity, identityOf(facts, prefix, shards));
}

/** Asks at an interval whether the topics are still the same, until stopped; trouble with asking is left to those who read. */
export class LogWatch {
  readonly #read: () => Promise<TopicFacts>;
  readonly #intervalMs: number;
  readonly #onRefused: (error: Error) => void;
  #identity: LogIdentity | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(read: () => Promise<TopicFacts>, intervalMs: number, onRefused: (error: Error) => void) {
    this.#read = read;
    this.#intervalMs = intervalMs;
    this.#onRefused = onRefused;
  }

  start(identity: LogIdentity): void {
    this.#identity = identity;
    this.#again();
  }

  stop(): void {
    this.#identity = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Asks now. */
  async look(): Promise<void> {
    try {
      const facts = await this.#read();
      if (this.#identity !== null) refuseChangedTopics(this.#identity, facts);
    } catch (error) {
      if (error instanceof RefusedError) this.#onRefused(error);
    }
  }

  #again(): void {
    this.#timer = setTimeout(() => {
      void this.look().finally(() => {
        if (this.#identity !== null) this.#again();
      });
    }, this.#intervalMs);
  }
}
