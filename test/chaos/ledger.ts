import type { PlannedFact } from "./facts.ts";
import type { FactTopic } from "../../src/domain/events.ts";

/** Header that says which entry of the ledger a record is. */
export const LEDGER_HEADER = "chaos";

/** A fact that was to be sent. It may stand in the log more than once: sent again on purpose, or because the answer was lost. */
export interface Entry extends PlannedFact {
  readonly index: number;
  readonly topic: FactTopic;
  readonly partition: number;
  /** Where the broker said it stands, each time it said so. */
  readonly offsets: number[];
  /** Wall clock of the first acknowledgement; null: never acknowledged. */
  ackedAt: number | null;
}

/** What was sent and what was acknowledged: the producer's side of the truth. */
export class Ledger {
  readonly entries: Entry[] = [];
  readonly #byPartition = new Map<number, Entry[]>();

  add(fact: PlannedFact, topic: FactTopic, partition: number): Entry {
    const entry: Entry = {
      ...fact,
      index: this.entries.length,
      topic,
      partition,
      offsets: [],
      ackedAt: null,
    };
    this.entries.push(entry);
    let list = this.#byPartition.get(partition);
    if (list === undefined) this.#byPartition.set(partition, (list = []));
    list.push(entry);
    return entry;
  }

  acknowledged(entry: Entry, offset: number): void {
    entry.offsets.push(offset);
    entry.ackedAt ??= Date.now();
  }

  /** Good facts of a partition that are known to be in the log: they may be sent again without anybody noticing. */
  settledOf(partition: number): Entry[] {
    return (this.#byPartition.get(partition) ?? []).filter(
      ({ refused, ackedAt }) => refused === null && ackedAt !== null,
    );
  }
}
