import type { FactTopic } from "../../domain/events.ts";
import type { KafkaShardLog } from "./shard-log.ts";
import type { TailReader } from "./tail-reader.ts";

/** A fetch brings what there is at once: what has not come for so long is asked for by itself. */
const OVERDUE_MS = 2_000;

/**
 * Looks after topics that end behind where a shard stands although nothing more comes: their last offsets are of something that the
 * broker keeps to itself, or compaction has taken them. A shard that went on waiting for them would stand still.
 */
export class TailWatch {
  readonly #reader: TailReader;
  readonly #prefix: string;
  #isLooking = false;
  #isClosed = false;

  constructor(reader: TailReader, prefix: string) {
    this.#reader = reader;
    this.#prefix = prefix;
  }

  /** Asks for what is overdue, unless it is being asked for already. Never rejects: who can't be asked now is asked at the next look. */
  async look(logs: Iterable<KafkaShardLog>): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      for (const log of logs) {
        for (const [topic, position] of log.overdue(OVERDUE_MS)) {
          if (this.#isClosed) return;
          await this.#ask(log, topic, position);
        }
      }
    } catch {
      // Whoever reads there has the same trouble, and tells of it.
    } finally {
      this.#isLooking = false;
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#reader.close();
  }

  async #ask(log: KafkaShardLog, topic: FactTopic, position: number): Promise<void> {
    const end = await this.#reader.emptyUpTo(this.#prefix + topic, log.shard, position);
    if (end !== null) log.pass(topic, position, end);
  }
}
