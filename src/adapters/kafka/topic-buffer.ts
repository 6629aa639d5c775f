import type { SourceRecord } from "../../pipeline/ports.ts";

/** Records of one topic of a shard between the fetch and the fold, and where the reading stands. */
export class TopicBuffer {
  records: SourceRecord[] = [];
  /** Next offset the log would deliver. */
  position = 0;
  /** When the reading last (re)started, or something was delivered: a fetch cycle that began earlier proves nothing. */
  disturbedAt = Infinity;
  isPaused = true;

  take(count: number): void {
    this.records = count >= this.records.length ? [] : this.records.slice(count);
  }
}
