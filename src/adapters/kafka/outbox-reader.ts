import type { KafkaMessage } from "kafkajs";
import { within } from "./failures.ts";

/** The part of the group consumer that reads outbox partitions; they are paused unless a read is under way. */
export interface OutboxSteering {
  seek(shard: number, offset: number): void;
  resume(shard: number): void;
  pause(shard: number): void;
}

interface Read {
  next: number;
  readonly through: number;
  readonly visit: (offset: number, message: KafkaMessage) => void;
  readonly done: () => void;
}

/** A read waits this long for its last record. Records of more than a few seconds are read only after the group's offsets were lost. */
const READ_MS = 60_000;

/** Reads ranges of outbox partitions through the group's consumer, which has them beside the facts: no other group is needed. */
export class OutboxReader {
  readonly #steering: OutboxSteering;
  readonly #reads = new Map<number, Read>();

  constructor(steering: OutboxSteering) {
    this.#steering = steering;
  }

  /** @throws RetriableError when the records do not come in time: the shard may have gone to another member */
  async read(
    shard: number,
    from: number,
    through: number,
    visit: (offset: number, message: KafkaMessage) => void,
  ): Promise<void> {
    let done: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => (done = resolve));
    const read: Read = { next: from, through, visit, done };
    this.#reads.set(shard, read);
    this.#begin(shard, read);
    try {
      await within(READ_MS, `reading the outbox of shard ${shard}`, finished);
    } finally {
      if (this.#reads.get(shard) === read) this.#reads.delete(shard);
      this.#steering.pause(shard);
    }
  }

  deliver(shard: number, messages: readonly KafkaMessage[]): void {
    const read = this.#reads.get(shard);
    if (read === undefined) return;
    for (const message of messages) {
      const offset = Number(message.offset);
      if (offset < read.next || offset > read.through) continue;
      if (offset > read.next) {
        // Fetched before the seek: an outbox has no gaps.
        this.#begin(shard, read);
        return;
      }
      read.visit(offset, message);
      read.next = offset + 1;
    }
    if (read.next > read.through) read.done();
  }

  /** The group has been joined again: the consumer stands elsewhere, and nothing is paused any more. */
  restart(shards: Iterable<number>): void {
    for (const shard of shards) {
      this.#steering.pause(shard);
      const read = this.#reads.get(shard);
      if (read !== undefined) this.#begin(shard, read);
    }
  }

  #begin(shard: number, { next }: Read): void {
    this.#steering.seek(shard, next);
    this.#steering.resume(shard);
  }
}
