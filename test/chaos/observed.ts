import type { SegmentChange, CustomerSegment } from "../../src/domain/change.ts";
import type { CustomerState } from "../../src/domain/customer-state.ts";
import type { Offsets, ShardClock } from "../../src/pipeline/ports.ts";

/** A record of an input topic: all that the verifier takes from it is which entry of the ledger it is. */
export interface SeenInput {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly entry: number;
  readonly appendedAt: number;
}

export interface SeenChange {
  readonly partition: number;
  readonly offset: number;
  readonly customerId: string;
  /** null: a tombstone. */
  readonly change: SegmentChange | null;
  readonly appendedAt: number;
}

export interface SeenSegment {
  readonly partition: number;
  readonly offset: number;
  readonly customerId: string;
  readonly segment: CustomerSegment | null;
}

export interface SeenDeadLetter {
  readonly partition: number;
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number };
  readonly reason: string;
  /** Entry of the ledger, by the header that came along untouched; null: it has none. */
  readonly entry: number | null;
  readonly value: Buffer | null;
}

/** Everything committed to the topics of a run. */
export interface SeenTopics {
  readonly inputs: readonly SeenInput[];
  readonly changes: readonly SeenChange[];
  readonly segments: readonly SeenSegment[];
  readonly deadLetters: readonly SeenDeadLetter[];
}

/** One shard as it lies in Redis. */
export interface SeenShard {
  readonly shard: number;
  readonly offsets: Offsets;
  readonly clock: ShardClock | null;
  /** By customer; a text says why the bytes are no state. */
  readonly states: ReadonlyMap<string, CustomerState | string>;
  /** Pages that the heads say there are, and that may be there. */
  readonly pages: ReadonlyMap<string, readonly [first: number, tail: number]>;
  readonly chunks: readonly (readonly [customerId: string, page: number])[];
  readonly deadlines: ReadonlyMap<string, number>;
}

export interface SeenRedis {
  readonly shards: readonly SeenShard[];
  /** Keys that belong to no shard. */
  readonly strangeKeys: readonly string[];
}

/** Something that must not be. */
export interface Violation {
  /** `lost change`, `broken chain`, …: what kind of wrong it is. */
  readonly kind: string;
  readonly customerId: string | null;
  readonly expected: unknown;
  readonly found: unknown;
  /** Wall clock near which it happened, where that is known. */
  readonly at: number | null;
}
