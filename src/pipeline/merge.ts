import { FACT_TOPICS, type CustomerEvent, type FactTopic } from "../domain/events.ts";
import type { Instant } from "../shared/instant.ts";
import type { Decoded } from "../domain/accept.ts";
import type { Decoder, Offsets, ShardLog, SourceRecord } from "./ports.ts";

/** A record with what it was decoded to. */
export interface MergedRecord {
  readonly record: SourceRecord;
  readonly decoded: Decoded;
}

interface Head {
  readonly topic: FactTopic;
  /** What the log has buffered. */
  records: readonly SourceRecord[];
  /** The first of those, decoded: a topic with few records keeps them while another's are taken. */
  decoded: MergedRecord[];
  /** Index of the next one to be taken, within `records` and `decoded`. */
  next: number;
}

/**
 * Takes the records of a shard's topics in `occurredAt` order as far as it is known: lowest head first (A3). A topic with
 * nothing buffered holds the others back while it has lag; so a replay comes out as live did. Correctness does not rest on it (S1).
 */
export class Merge {
  readonly #log: ShardLog;
  readonly #decoder: Decoder;
  readonly #heads: readonly Head[] = FACT_TOPICS.map((topic) => ({
    topic,
    records: [],
    decoded: [],
    next: 0,
  }));
  readonly #limits: Offsets | null;

  /** `limits`: take only records below these offsets (a silent re-fold); null: no limit. A topic that is missing has limit 0. */
  constructor(log: ShardLog, decoder: Decoder, limits: Offsets | null) {
    this.#log = log;
    this.#decoder = decoder;
    this.#limits = limits;
  }

  /**
   * The next up to `max` records; empty when a topic that lags has nothing buffered yet, or nothing is there at all.
   * `since`: a topic counts as without lag when it was caught up at some moment after it.
   */
  async take(max: number, since: Instant): Promise<MergedRecord[]> {
    for (const head of this.#heads) {
      head.records = this.#log.buffered(head.topic);
      // After a seek the buffer holds other records.
      if (head.decoded[0]?.record !== head.records[0]) head.decoded = [];
      await this.#decodeAhead(head, max);
    }
    const taken: MergedRecord[] = [];
    while (taken.length < max) {
      const head = this.#lowest(since);
      if (head === null) break;
      const merged = head.decoded[head.next];
      if (merged === undefined) break;
      head.next++;
      taken.push(merged);
    }
    for (const head of this.#heads) {
      if (head.next === 0) continue;
      this.#log.take(head.topic, head.next);
      head.decoded = head.decoded.slice(head.next);
      head.next = 0;
    }
    return taken;
  }

  /** True when every topic has delivered all it had below the limits, or at some moment after `since` where there is no limit. */
  isDrained(since: Instant): boolean {
    return FACT_TOPICS.every((topic) => this.#reachedLimit(topic) || this.#isEmptyWithoutLag(topic, since));
  }

  /** A topic that was not read up to its limit; null: there is none. */
  shortOfLimit(): { readonly topic: FactTopic; readonly position: number; readonly limit: number } | null {
    const topic = FACT_TOPICS.find((each) => !this.#reachedLimit(each));
    if (topic === undefined) return null;
    return { topic, position: this.#log.position(topic), limit: this.#limits?.[topic] ?? 0 };
  }

  async #decodeAhead(head: Head, max: number): Promise<void> {
    const limit = this.#limits === null ? Infinity : (this.#limits[head.topic] ?? 0);
    const records = head.records;
    const count = Math.min(records.length, max);
    for (let i = head.decoded.length; i < count; i++) {
      const record = records[i];
      if (record === undefined || record.offset >= limit) break;
      const decoded = record.decoded ?? this.#decoder.decode(record);
      head.decoded.push({ record, decoded: decoded instanceof Promise ? await decoded : decoded });
    }
  }

  #lowest(since: Instant): Head | null {
    let lowest: Head | null = null;
    let lowestAt = Infinity;
    for (const head of this.#heads) {
      const decoded = head.decoded[head.next]?.decoded;
      if (decoded === undefined) {
        if (this.#isDone(head, since)) continue;
        return null;
      }
      const at = mergeInstant(decoded);
      if (at < lowestAt) {
        lowest = head;
        lowestAt = at;
      }
    }
    return lowest;
  }

  /** Nothing of this topic need be waited for before others go on. */
  #isDone(head: Head, since: Instant): boolean {
    const limit = this.#limits === null ? Infinity : (this.#limits[head.topic] ?? 0);
    const following = head.records[head.next];
    if (following !== undefined) return following.offset >= limit;
    // All that was buffered is taken in this call: only the next call can tell whether more was on the way.
    if (head.next > 0) return false;
    // More may have come while those of others were decoded: delivered, so that the log takes the topic for caught up.
    const [first] = this.#log.buffered(head.topic);
    if (first !== undefined) return first.offset >= limit;
    return this.#log.position(head.topic) >= limit || this.#log.caughtUp(head.topic, since);
  }

  #reachedLimit(topic: FactTopic): boolean {
    if (this.#limits === null) return false;
    const limit = this.#limits[topic] ?? 0;
    const first = this.#log.buffered(topic)[0];
    return first === undefined ? this.#log.position(topic) >= limit : first.offset >= limit;
  }

  #isEmptyWithoutLag(topic: FactTopic, since: Instant): boolean {
    return this.#log.buffered(topic).length === 0 && this.#log.caughtUp(topic, since);
  }
}

/** What a record counts as in the merge; one that can't be read goes first, out of the way. */
function mergeInstant(decoded: Decoded): number {
  return decoded.kind === "event" ? eventInstant(decoded.event) : -Infinity;
}

/** A referral's instant is the last boundary of its spans: when the order's shard learnt of it. */
export function eventInstant(event: CustomerEvent): number {
  if (event.topic !== "referrals") return event.occurredAt;
  let at = -Infinity;
  for (const span of event.spans) at = Math.max(at, span.until ?? span.from);
  return at;
}
