import { FACT_TOPICS, type FactTopic } from "../../domain/events.ts";
import { RefusedError, RetriableError } from "../../pipeline/errors.ts";
import type {
  BatchOutput,
  Committed,
  Offsets,
  OutputPacking,
  ShardLog,
  SourceRecord,
} from "../../pipeline/ports.ts";
import type { Partition } from "./partition.ts";

/** A topic's buffer is filled up to so many records once it is half empty. */
const BUFFERED_RECORDS = 4096;

/** What a handle asks of the log it belongs to. `token`: number of the fence under which it owns the shard. */
export interface ShardOwner {
  fence(): Promise<{ readonly token: number; readonly committed: Committed | null }>;
  commit(token: number, output: BatchOutput, committed: Committed): Promise<void>;
  /** True while an empty topic may still get records that belong before those of others. */
  holdsOpen(): boolean;
  took(token: number, records: readonly SourceRecord[]): void;
  sought(token: number, offsets: Readonly<Record<FactTopic, number>>): void;
  closed(): void;
}

const NOT_FENCED = -1;

/** A handle on one shard of the embedded log, as the Kafka adapter gives one on a partition of each topic. */
export class EmbeddedShardLog implements ShardLog {
  /** Whoever runs the log takes outputs as they are. */
  readonly packing: OutputPacking = { change: (change) => change, segment: (segment) => segment };
  readonly #shard: number;
  readonly #partitions: Readonly<Record<FactTopic, Partition>>;
  readonly #owner: ShardOwner;
  readonly #buffers: Readonly<Record<FactTopic, SourceRecord[]>>;
  /** Offset after the last record that was put into the buffer. */
  readonly #positions: Record<FactTopic, number>;
  #token = NOT_FENCED;
  /** Something happened since `changed` was last asked. */
  #isNews = false;
  #isClosed = false;
  readonly #waiting = new Set<() => void>();

  constructor(shard: number, partitions: Readonly<Record<FactTopic, Partition>>, owner: ShardOwner) {
    this.#shard = shard;
    this.#partitions = partitions;
    this.#owner = owner;
    this.#buffers = byTopic(() => []);
    this.#positions = byTopic((topic) => partitions[topic].start);
  }

  /** Something was appended, or the input has ended. */
  wake(): void {
    this.#isNews = true;
    for (const wake of [...this.#waiting]) wake();
  }

  async fence(): Promise<Committed | null> {
    this.#refuseIfClosed();
    const { token, committed } = await this.#owner.fence();
    this.#token = token;
    return committed;
  }

  seek(offsets: Offsets): Promise<void> {
    for (const topic of FACT_TOPICS) {
      const { start, end } = this.#partitions[topic];
      const offset = offsets[topic] ?? start;
      if (offset < start || offset > end) {
        const refused = new RefusedError(
          "OFFSET_OUT_OF_RANGE",
          `shard ${this.#shard}: ${topic} is to be read from offset ${offset}, but the log holds ${start} to ${end}. ` +
            "What lies between is gone: start anew with an empty state, or bring the log back",
        );
        return Promise.reject(refused);
      }
    }
    for (const topic of FACT_TOPICS) {
      this.#buffers[topic].length = 0;
      this.#positions[topic] = offsets[topic] ?? this.#partitions[topic].start;
    }
    this.#owner.sought(this.#token, this.#positions);
    this.#isNews = true;
    return Promise.resolve();
  }

  buffered(topic: FactTopic): readonly SourceRecord[] {
    const buffer = this.#buffers[topic];
    const partition = this.#partitions[topic];
    const position = this.#positions[topic];
    if (buffer.length < BUFFERED_RECORDS / 2 && position < partition.end && !this.#isClosed) {
      partition.readInto(buffer, position, BUFFERED_RECORDS - buffer.length);
      this.#positions[topic] = (buffer.at(-1)?.offset ?? position - 1) + 1;
    }
    return buffer;
  }

  take(topic: FactTopic, count: number): void {
    this.#owner.took(this.#token, this.#buffers[topic].splice(0, count));
  }

  position(topic: FactTopic): number {
    return this.#positions[topic];
  }

  caughtUp(topic: FactTopic): boolean {
    if (this.#positions[topic] < this.#partitions[topic].end) return false;
    // Input that has not ended: whoever appends may be waiting for room, so the others must be able to go on. What comes
    // later in this topic was appended after them.
    return !this.#owner.holdsOpen() || this.#hasUnread();
  }

  changed(signal: AbortSignal): Promise<void> {
    if (this.#isNews || this.#isClosed || signal.aborted) {
      this.#isNews = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        if (!signal.aborted) this.#isNews = false;
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  knownEnd(topic: FactTopic): number {
    return this.#partitions[topic].end;
  }

  ends(): Promise<Offsets> {
    return Promise.resolve(byTopic((topic) => this.knownEnd(topic)));
  }

  async commit(output: BatchOutput<unknown, unknown>, committed: Committed): Promise<void> {
    this.#refuseIfClosed();
    await this.#owner.commit(this.#token, output as BatchOutput, committed);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.wake();
    this.#owner.closed();
    return Promise.resolve();
  }

  #hasUnread(): boolean {
    return FACT_TOPICS.some(
      (topic) => this.#buffers[topic].length > 0 || this.#positions[topic] < this.#partitions[topic].end,
    );
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new RetriableError("LOG_CLOSED", `the log of shard ${this.#shard} is closed`);
  }
}

function byTopic<T>(make: (topic: FactTopic) => T): Record<FactTopic, T> {
  return Object.fromEntries(FACT_TOPICS.map((topic) => [topic, make(topic)])) as Record<FactTopic, T>;
}
