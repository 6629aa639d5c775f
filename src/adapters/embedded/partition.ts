import type { SourceRecord } from "../../pipeline/ports.ts";

/** Freed records are cut off the array when there are so many, not one by one. */
const CUT_AT = 4096;

/** One partition of one topic: records by offset, those before `start` gone. */
export class Partition {
  readonly #records: (SourceRecord | null)[] = [];
  /** Offset of `#records[0]`. */
  #base: number;
  #start: number;

  constructor(start = 0) {
    this.#base = start;
    this.#start = start;
  }

  /** First offset that can still be read. */
  get start(): number {
    return this.#start;
  }

  /** Offset that the next record will get. */
  get end(): number {
    return this.#base + this.#records.length;
  }

  /** The record's offset must be `end`. */
  push(record: SourceRecord): void {
    this.#records.push(record);
  }

  /** Up to `max` records from `offset` on, added to `target`. */
  readInto(target: SourceRecord[], offset: number, max: number): void {
    const first = Math.max(offset, this.#start) - this.#base;
    const last = Math.min(first + max, this.#records.length);
    for (let i = first; i < last; i++) {
      const record = this.#records[i];
      if (record !== null && record !== undefined) target.push(record);
    }
  }

  /** Frees the records before `offset`. */
  trim(offset: number): void {
    const start = Math.min(offset, this.end);
    for (let at = this.#start; at < start; at++) this.#records[at - this.#base] = null;
    this.#start = Math.max(this.#start, start);
    if (this.#start - this.#base < CUT_AT) return;
    this.#records.splice(0, this.#start - this.#base);
    this.#base = this.#start;
  }

  *[Symbol.iterator](): Iterator<SourceRecord> {
    for (const record of this.#records) if (record !== null) yield record;
  }
}
