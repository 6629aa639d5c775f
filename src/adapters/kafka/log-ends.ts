import type { FactTopic } from "../../domain/events.ts";
import { FACT_TOPICS } from "../../domain/events.ts";
import { RefusedError } from "../../pipeline/errors.ts";
import { kafkaFailure } from "./failures.ts";
import type { InnerCluster } from "./inner-cluster.ts";
import type { OwnCluster } from "./own-cluster.ts";
import { Rounds } from "./rounds.ts";

/** The ends of one partition as they were at an instant. */
export interface Ends {
  /** Asked before the broker was: everything appended up to here lies below `high`. */
  readonly askedAt: number;
  readonly low: number;
  /** The last stable offset: where a read_committed reader can get to. */
  readonly high: number;
}

/**
 * `place`: topic and partition. Ends that nobody knows refuse nothing.
 * @throws RefusedError when what must be read next is not in the log
 */
export function refuseOutOfRange(place: string, offset: number, ends: Ends | null): void {
  if (ends === null || (offset >= ends.low && offset <= ends.high)) return;
  const found =
    offset > ends.high
      ? "its last records are gone, or the topic was made anew"
      : "records were deleted, or commit markers of transactions that this application had not come to yet: which, the log no longer tells";
  throw new RefusedError(
    "OFFSET_OUT_OF_RANGE",
    `${place} must be read from offset ${offset}, but holds ${ends.low} to ${ends.high}: ${found}. ` +
      "Restore it, or start under a fresh CLIENTELA_APPLICATION_ID on what is left",
  );
}

/**
 * The ends of all fact topics, asked for all shards of the process at once, at most every `intervalMs` and only while somebody
 * reads: two requests to each broker, whatever topics and partitions there are. A failed round is tried again at the next; nobody is
 * told that is newer than it is.
 */
export class LogEnds {
  readonly #cluster: Pick<OwnCluster, "ask" | "close">;
  readonly #prefix: string;
  readonly #intervalMs: number;
  readonly #onRound: () => void;
  readonly #ends = new Map<string, Ends>();
  readonly #rounds = new Rounds(() => this.#askAll());
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;

  /** `cluster`: of its own, and one that tells what a read_committed reader can get to. */
  constructor(
    cluster: Pick<OwnCluster, "ask" | "close">,
    prefix: string,
    intervalMs: number,
    onRound: () => void,
  ) {
    this.#cluster = cluster;
    this.#prefix = prefix;
    this.#intervalMs = intervalMs;
    this.#onRound = onRound;
  }

  of(topic: FactTopic, shard: number): Ends | null {
    return this.#ends.get(`${topic} ${shard}`) ?? null;
  }

  /** First offset that any topic's partition still holds, asked now. Throws as `refresh` does. */
  async lowOf(topic: string, partition: number): Promise<number> {
    const offsets = await this.#ask(`asking for the beginning of ${topic}`, [topic], (cluster) =>
      offsetsOf(cluster, [topic], "low"),
    );
    return offsets.get(`${topic} ${partition}`) ?? 0;
  }

  start(): void {
    const again = (): void => {
      if (this.#isStopped) return;
      this.refresh()
        .catch(() => undefined)
        .finally(() => {
          if (!this.#isStopped) this.#timer = setTimeout(again, this.#intervalMs);
        });
    };
    again();
  }

  /** Asks no more; who asks directly still may, until it is closed. */
  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  close(): Promise<void> {
    this.stop();
    return this.#cluster.close();
  }

  /**
   * Asks now, for all shards at once. Throws RetriableError when a broker can't be asked, or leads a partition no more (or not yet).
   */
  refresh(): Promise<void> {
    return this.#rounds.ask();
  }

  async #askAll(): Promise<void> {
    const askedAt = Date.now();
    const topics = FACT_TOPICS.map((topic) => this.#prefix + topic);
    const [highs, lows] = await this.#ask("asking for the ends of the topics", topics, (cluster) =>
      Promise.all([offsetsOf(cluster, topics, "high"), offsetsOf(cluster, topics, "low")]),
    );
    for (const [place, high] of highs) {
      const low = lows.get(place);
      if (low !== undefined) this.#ends.set(place.slice(this.#prefix.length), { askedAt, low, high });
    }
    this.#onRound();
  }

  async #ask<T>(
    what: string,
    topics: readonly string[],
    question: (cluster: InnerCluster) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#cluster.ask(what, topics, question);
    } catch (error) {
      throw kafkaFailure(what, error);
    }
  }
}

/** By topic and partition, parted by a space. */
async function offsetsOf(
  cluster: InnerCluster,
  topics: readonly string[],
  which: "low" | "high",
): Promise<Map<string, number>> {
  const answers = await cluster.fetchTopicsOffset(
    topics.map((topic) => ({
      topic,
      partitions: cluster
        .findTopicPartitionMetadata(topic)
        .map(({ partitionId: partition }) => ({ partition })),
      fromBeginning: which === "low",
    })),
  );
  return new Map(
    answers.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => [`${topic} ${partition}`, Number(offset)] as const),
    ),
  );
}
