import type { SourceRecord } from "../../pipeline/ports.ts";

/** Records of one topic of a shard between the fetch and the fold, and where the reading stands. */
export class TopicBuffer {
  records: SourceRecord[] = [];
  /** Next offset the log would deliver. */
  position = 0;
  /** When the position last changed; ms since the epoch. */
  movedAt = Infinity;
  isPaused = true;

  /** Sets the position, in whichever direction. */
  moveTo(position: number): void {
    this.position = position;
    this.movedAt = Date.now();
  }

  take(count: number): void {
    this.records = count >= this.records.length ? [] : this.records.slice(count);
  }
}
