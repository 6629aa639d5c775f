import type { Admin } from "kafkajs";
import type { FactTopic } from "../../domain/events.ts";
import { FACT_TOPICS } from "../../domain/events.ts";
import { RefusedError } from "../../pipeline/errors.ts";
import { ADMIN_ANSWER_MS, kafkaFailure, within } from "./failures.ts";
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
 * reads. A failed round is tried again at the next; nobody is told that is newer than it is.
 */
export class LogEnds {
  readonly #admin: Admin;
  readonly #prefix: string;
  readonly #intervalMs: number;
  readonly #onRound: () => void;
  readonly #ends = new Map<string, Ends>();
  readonly #rounds = new Rounds(() => this.#askAll());
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;

  constructor(admin: Admin, prefix: string, intervalMs: number, onRound: () => void) {
    this.#admin = admin;
    this.#prefix = prefix;
    this.#intervalMs = intervalMs;
    this.#onRound = onRound;
  }

  of(topic: FactTopic, shard: number): Ends | null {
    return this.#ends.get(`${topic} ${shard}`) ?? null;
  }

  /** First offset that any topic's partition still holds, asked now. Throws as `refresh` does. */
  async lowOf(topic: string, partition: number): Promise<number> {
    const what = `asking for the beginning of ${topic}`;
    try {
      const offsets = await within(ADMIN_ANSWER_MS, what, this.#admin.fetchTopicOffsets(topic));
      return Number(offsets.find((found) => found.partition === partition)?.low ?? 0);
    } catch (error) {
      throw kafkaFailure(what, error);
    }
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

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /**
   * Asks now, for all shards at once. Throws RetriableError when a broker can't be asked, or leads a partition no more (or not yet).
   */
  refresh(): Promise<void> {
    return this.#rounds.ask();
  }

  async #askAll(): Promise<void> {
    const askedAt = Date.now();
    const answers = await Promise.all(FACT_TOPICS.map((topic) => this.#ask(topic)));
    for (const { topic, partitions } of answers) {
      for (const { partition, low, high } of partitions) {
        this.#ends.set(`${topic} ${partition}`, { askedAt, low: Number(low), high: Number(high) });
      }
    }
    this.#onRound();
  }

  async #ask(topic: FactTopic): Promise<{
    readonly topic: FactTopic;
    readonly partitions: Awaited<ReturnType<Admin["fetchTopicOffsets"]>>;
  }> {
    const what = `asking for the ends of ${this.#prefix}${topic}`;
    try {
      const asked = this.#admin.fetchTopicOffsets(this.#prefix + topic);
      return { topic, partitions: await within(ADMIN_ANSWER_MS, what, asked) };
    } catch (error) {
      throw kafkaFailure(what, error);
    }
  }
}
