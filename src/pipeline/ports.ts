import type { CustomerSegment, SegmentChange } from "../domain/change.ts";
import type { Customer } from "../domain/customer.ts";
import type { CustomerState } from "../domain/customer-state.ts";
import type { Decoded } from "../domain/accept.ts";
import type { DeadLetterReason, FactTopic, Referral } from "../domain/events.ts";
import type { Instant } from "../shared/instant.ts";
import type { LogIdentity } from "./log-identity.ts";

/** The wall clock. Only the pipeline asks it; the domain is told. */
export interface Clock {
  now(): Instant;
  /** Resolves after `ms`, or early (never rejects) when the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A record as the log holds it. Topics are logical names, without the configured prefix. */
export interface SourceRecord {
  readonly topic: FactTopic;
  readonly partition: number;
  readonly offset: number;
  /** Arrival (S2.3): append time where the log stamps it. null for files, which have none, and for logs that keep the producer's time. */
  readonly arrivedAt: Instant | null;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array])[];
  /** Where a person finds it when it was read from a file. */
  readonly file?: { readonly name: string; readonly line: number };
  /** Set by logs that already hold decoded facts (embedded); the decoder of that composition reads it instead of `value`. */
  readonly decoded?: Decoded;
}

/** Bytes → event. Pure but for schema look-ups, which may wait on the registry; throws RetriableError when that is unreachable. */
export interface Decoder {
  decode(record: SourceRecord): Decoded | Promise<Decoded>;
}

export interface DeadLetter {
  readonly record: SourceRecord;
  readonly reason: DeadLetterReason;
  /** One sentence for a person; names the field of `invalid_field`. */
  readonly message: string;
}

/**
 * What a batch publishes, atomically with its offsets and receipt (A4). The order within each list is kept per key. `Change` and
 * `Segment` are what the log's `packing` made of them.
 */
export interface BatchOutput<Change = SegmentChange, Segment = CustomerSegment> {
  /** `null` change = tombstone of an erasure on both output topics (S2.5), in its place among the customer's changes. */
  readonly changes: readonly { readonly customerId: string; readonly change: Change | null }[];
  /** The latest segment of each customer that changed; null = tombstone. At most one per customer. */
  readonly segments: readonly { readonly customerId: string; readonly segment: Segment | null }[];
  readonly referrals: readonly Referral[];
  readonly deadLetters: readonly DeadLetter[];
}

/** (instant, customerId): every deadline ≤ it, in that order, has been applied (A4). customerId compares by its UTF-8 bytes. */
export interface ShardClock {
  readonly at: Instant;
  /** "" = none at this instant yet; LAST_CUSTOMER (U+10FFFF) = all of this instant. */
  readonly customerId: string;
}

/** Next offset to read, by topic; a topic that is missing starts at the beginning of the log. */
export type Offsets = Readonly<Partial<Record<FactTopic, number>>>;

/** A change of policy that has not come to its end, in the order of the customers' ids (UTF-8 bytes). */
export interface Migration {
  /** Hash of the policy. */
  readonly to: string;
  /** The last customer whom it has reached; "": none. */
  readonly afterCustomerId: string;
  /**
   * The one before it, which had been interrupted, as far as it has come further; null: none has. Missing in what was written before
   * it was kept: then it is not certain how those stand who come after.
   */
  readonly over?: Migration | null;
}

/** Travels as the metadata of the offset commit, inside the transaction (A4). */
export interface Receipt {
  readonly seq: number;
  readonly clock: ShardClock | null;
  /** Hash of the policy under which the shard's customers stand, all but those whom a change of policy has reached (S7.3). */
  readonly policy: string;
  readonly migrating: Migration | null;
  /** First start in `silent` mode (I6); null once history is behind. */
  readonly silentBelow: SilentHistory | null;
  /** Which log the offsets count in; missing in receipts of before it was kept, and where the log has none. */
  readonly log?: LogIdentity;
  /** Where the first start began, of topics whose first records were gone by then: a rebuild needs no more than that. */
  readonly begin?: Offsets;
}

/** A first start that tells nobody about the past: records below `offsets` and deadlines up to `at` make no changes, only segments. */
export interface SilentHistory {
  readonly offsets: Offsets;
  readonly at: Instant;
}

export interface Committed {
  readonly offsets: Offsets;
  readonly receipt: Receipt;
}

/**
 * Makes of an output what its log will write, at once: a change with its reasons and figures that is held until the commit grows
 * old in the heap and costs more there than its bytes do.
 */
export interface OutputPacking {
  change(change: SegmentChange): unknown;
  segment(segment: CustomerSegment): unknown;
}

/** The log of one shard, held by one owner between `fence` and `close`. Errors are PortError. */
export interface ShardLog {
  /** What `commit` takes was made by it. */
  readonly packing: OutputPacking;
  /** Which log this is; missing where log and store live in one process and can't be mixed up. */
  readonly identity?: LogIdentity;
  /**
   * Step 2 and 3 of *acquire*: fences every predecessor (InitProducerId) and only then reads what was committed.
   * null: nothing was ever committed for this shard under this application id. Offsets without a receipt: throws RefusedError.
   */
  fence(): Promise<Committed | null>;
  /** Starts (again) to read at these offsets. Throws RefusedError when one is no longer in the log. Drops what was buffered. */
  seek(offsets: Offsets): Promise<void>;
  /** Buffered, unread records of a topic, in offset order; never waits. The array is the log's own: `take` consumes from its front. */
  buffered(topic: FactTopic): readonly SourceRecord[];
  /** Drops the first `count` buffered records of a topic: they are being processed. Makes room, so that a paused fetch goes on. */
  take(topic: FactTopic, count: number): void;
  /** Next offset the log would deliver of a topic: past control and aborted records, where the log knows. */
  position(topic: FactTopic): number;
  /** True when all that was in the topic at some moment after `since` has been delivered (A10 *Caught up*). */
  caughtUp(topic: FactTopic, since: Instant): boolean;
  /** Resolves when something was buffered, a topic may have become caught up, or the signal fires. */
  changed(signal: AbortSignal): Promise<void>;
  /** Where a topic ended (last stable offset) when that was last looked at, a second ago at most while the log can be asked; null: never yet. */
  knownEnd(topic: FactTopic): number | null;
  /** End offsets (last stable) of each topic now: the limit of a silent first start. */
  ends(): Promise<Offsets>;
  /** One transaction: outputs + offsets + receipt, all or nothing (A4 step 2). Any error: the answer is unknown, acquire again. */
  commit(output: BatchOutput<unknown, unknown>, committed: Committed): Promise<void>;
  close(): Promise<void>;
}

/** Group membership: which shards this process owns. Not a safety mechanism (A10): fencing is. */
export interface ShardSource {
  /** Calls back with each change of ownership until `stop`; `assigned` hands over open logs, `revoked` waits for the shard's drain. */
  start(handler: {
    assigned(shard: number, log: ShardLog): void;
    revoked(shard: number): Promise<void>;
    /** The source can't go on by itself. */
    failed(error: Error): void;
  }): Promise<void>;
  stop(): Promise<void>;
}

/** Redis's mark on where its states stand (A4). */
export interface Marks {
  readonly epoch: number;
  readonly seq: number;
  readonly offsets: Offsets;
  readonly clock: ShardClock | null;
  /** seq of the last transaction these states contain. */
  readonly published: number;
  readonly policy: string;
  readonly migrating: Receipt["migrating"];
  readonly silentBelow: SilentHistory | null;
  readonly log?: Receipt["log"];
  readonly begin?: Receipt["begin"];
}

export interface StoredCustomer {
  readonly head: Uint8Array;
  /** Chunks by page number, of those that the head names; a page of which nothing is left is missing. */
  readonly chunks: ReadonlyMap<number, Uint8Array>;
}

export interface CustomerWrite {
  readonly customerId: string;
  /** null deletes the customer: head, all chunks, deadline. */
  readonly head: Uint8Array | null;
  /** Changed pages only; null deletes one. */
  readonly chunks: readonly (readonly [page: number, bytes: Uint8Array | null])[];
  /** Next deadline; null: none. */
  readonly deadlineAt: Instant | null;
}

export interface StateCommit {
  readonly epoch: number;
  /** Marks.seq that the store must hold for the commit to apply: compare-and-set. */
  readonly expectedSeq: number;
  readonly writes: readonly CustomerWrite[];
  readonly marks: Omit<Marks, "epoch">;
  /** Texts of the policies the states stand, or are to stand, under; kept beside the marks so that a later start can fold under them. null: unchanged. */
  readonly policyText: string | null;
}

export type StateCommitResult =
  | { readonly kind: "applied" }
  /** A resend of what is already there: epoch and seq of the store equal the commit's. */
  | { readonly kind: "already" }
  | { readonly kind: "fenced"; readonly epoch: number }
  | { readonly kind: "behind"; readonly seq: number | null };

/**
 * Where a store must stand for its answer to be of use to an owner: under its epoch, at one of these seqs (null: no marks), at the
 * very moment of the answer. Asked before or after, it may have been elsewhere meanwhile and come back by losing its last writes.
 */
export interface Held {
  readonly epoch: number;
  readonly seqs: readonly (number | null)[];
}

/**
 * States, deadlines and marks of all shards. Commits are atomic per shard. Errors are PortError; reads with `held` throw
 * RetriableError STATE_MOVED when the store is not there (see storeMoved).
 */
export interface StateStore {
  /** The marks, without taking the shard over: who has no business here must not disturb its owner. null: none, or none that can be read. */
  peek(shard: number): Promise<Marks | null>;
  /**
   * Step 1 of *acquire*: a greater epoch, and none that the shard ever had. marks null: this shard has none (never, or lost). `damage`: what shows that something else
   * than this program has deleted or added parts of the shard, or that its marks can't be read; missing or null: nothing does.
   */
  acquire(shard: number): Promise<{
    readonly epoch: number;
    readonly marks: Marks | null;
    readonly policyText: string | null;
    readonly damage?: string | null;
  }>;
  /**
   * Where the store stands now: seq of the last commit it holds, null without marks. An owner asks after it has read: a store that
   * lost its last writes answers reads with the past, and what is folded on that must never be published. It tells of the last read of
   * the shard, so an owner reads nothing else in between. `damage` as in `acquire`.
   */
  position(
    shard: number,
  ): Promise<{ readonly epoch: number; readonly seq: number | null; readonly damage?: string | null }>;
  /** In the order of the ids; null: not held. */
  read(shard: number, customerIds: readonly string[], held?: Held): Promise<(StoredCustomer | null)[]>;
  commit(shard: number, commit: StateCommit): Promise<StateCommitResult>;
  /** Deletes all of the shard's states (before a rebuild); marks are gone, the epoch stays. */
  clear(shard: number, epoch: number): Promise<StateCommitResult>;
  /** The first `limit` deadlines ≤ upTo, in (instant, customerId) order by UTF-8 bytes. */
  due(
    shard: number,
    upTo: Instant,
    limit: number,
    held?: Held,
  ): Promise<{ readonly customerId: string; readonly at: Instant }[]>;
  /** Earliest deadline; null: none. */
  nextDue(shard: number): Promise<Instant | null>;
  /** Up to `limit` customer ids greater than `after` ("" = from the start), ascending by UTF-8 bytes. */
  customers(shard: number, after: string, limit: number, held?: Held): Promise<string[]>;
  close(): Promise<void>;
}

/** Bytes of a state; the schema version travels in them (read old, write new). */
export interface StateCodec {
  /** The head, and the chunks that changed since the last time; takes note of that in the customer. */
  encode(customer: Customer): Pick<CustomerWrite, "head" | "chunks">;
  /** Throws when the bytes are not a state: the store was written by something else. */
  decode(customerId: string, stored: StoredCustomer): CustomerState;
  /** How many chunk pages the head says there are: [firstPage, tailPage). */
  pages(head: Uint8Array): readonly [first: number, tail: number];
}
