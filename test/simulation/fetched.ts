import type { FactTopic } from "../../src/domain/events.ts";
import type { ShardLog, SourceRecord } from "../../src/pipeline/ports.ts";
import type { Surroundings } from "./ports.ts";

/** How much of each topic has reached the process. */
export class Fetched {
  readonly #around: Surroundings;
  readonly #upTo = new Map<FactTopic, number>();
  readonly #asked = new Set<FactTopic>();
  onNext: (() => void) | null = null;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  forget(): void {
    this.#upTo.clear();
    this.#asked.clear();
  }

  of(topic: FactTopic, records: readonly SourceRecord[]): readonly SourceRecord[] {
    if (this.isAll(topic, records)) return records;
    this.#ask(topic, records);
    return records.slice(0, this.#visible(topic, records));
  }

  position(topic: FactTopic, log: ShardLog): number {
    if (!this.#isSlow) return log.position(topic);
    const records = log.buffered(topic);
    return records[this.#visible(topic, records)]?.offset ?? log.position(topic);
  }

  isAll(topic: FactTopic, records: readonly SourceRecord[]): boolean {
    if (!this.#isSlow) return true;
    const last = records.at(-1);
    return last === undefined || last.offset < (this.#upTo.get(topic) ?? 0);
  }

  get #isSlow(): boolean {
    return this.#around.weather.slowFetch && this.#around.isStormy();
  }

  #visible(topic: FactTopic, records: readonly SourceRecord[]): number {
    const upTo = this.#upTo.get(topic) ?? 0;
    const count = records.findIndex(({ offset }) => offset >= upTo);
    return count < 0 ? records.length : count;
  }

  #ask(topic: FactTopic, records: readonly SourceRecord[]): void {
    if (this.#asked.has(topic)) return;
    const { scheduler, process } = this.#around;
    this.#asked.add(topic);
    scheduler.enqueue(`${process.name} fetches ${topic}`, () => {
      this.#asked.delete(topic);
      const rest = records.slice(this.#visible(topic, records));
      const reached = rest[scheduler.random.below(rest.length)];
      if (reached !== undefined) this.#upTo.set(topic, reached.offset + 1);
      this.onNext?.();
    });
  }
}
