import type { Policy } from "../domain/policy.ts";
import type { KnownPolicies } from "./known-policies.ts";
import type { Provenance } from "./log-identity.ts";
import { openPolicy, recorded, type PolicySpans } from "./policy-spans.ts";
import type { CustomerWrite, Offsets, Receipt, ShardClock, SilentHistory, StateCommit } from "./ports.ts";
import { laterClock } from "./shard-clock.ts";

/** Where a shard stands when it is acquired. */
export interface StartPosition {
  /** seq of the last batch that was sealed: the store holds it, or will when the commit in flight is done. */
  readonly storeSeq: number;
  /** Greater than every seq ever used by this shard. */
  readonly nextSeq: number;
  readonly offsets: Offsets;
  readonly clock: ShardClock | null;
  readonly published: number;
  readonly spans: PolicySpans;
  readonly silent: SilentHistory | null;
  readonly provenance: Provenance;
}

/** How a sealed batch is told: to the store alone, or to the log as well (A4). */
export interface Told {
  readonly receipt: Receipt;
  readonly commit: StateCommit;
}

/** Where a shard stands: grows batch by batch while its epoch is held, and is told with each (A4: receipt and marks). */
export class ShardPosition {
  readonly #policies: KnownPolicies;
  readonly #epoch: number;
  /** What never changes in receipts and marks of this shard. */
  readonly #provenance: Provenance;
  #storeSeq: number;
  #nextSeq: number;
  #offsets: Offsets;
  #clock: ShardClock | null;
  #published: number;
  #spans: PolicySpans;
  #policy: Policy;
  #silent: SilentHistory | null;
  /** Where customers are to come to stand: the store keeps the texts of these policies too. */
  #target: PolicySpans = [];

  constructor(start: StartPosition, epoch: number, policies: KnownPolicies) {
    this.#policies = policies;
    this.#epoch = epoch;
    this.#provenance = start.provenance;
    this.#storeSeq = start.storeSeq;
    this.#nextSeq = start.nextSeq;
    this.#offsets = start.offsets;
    this.#clock = start.clock;
    this.#published = start.published;
    this.#spans = start.spans;
    this.#policy = policies.of(openPolicy(start.spans));
    this.#silent = start.silent;
  }

  /** Of the batch that is open. */
  get nextSeq(): number {
    return this.#nextSeq;
  }
  get offsets(): Offsets {
    return this.#offsets;
  }
  get clock(): ShardClock | null {
    return this.#clock;
  }
  /** seq of the last batch that was told by a transaction, or stands for one. */
  get published(): number {
    return this.#published;
  }
  /** Something has been sealed that no transaction has told of. */
  get isAheadOfPublished(): boolean {
    return this.#published < this.#storeSeq;
  }
  /** Under which policies the customers stand. */
  get spans(): PolicySpans {
    return this.#spans;
  }
  /** Under which facts are folded: while a change of policy is under way, none are. */
  get policy(): Policy {
    return this.#policy;
  }
  /** History that is folded without changes and is not yet behind (I6). */
  get silent(): SilentHistory | null {
    return this.#silent;
  }

  /** All records below these offsets have been taken into the open batch. */
  takeUpTo(offsets: Offsets): void {
    this.#offsets = offsets;
    this.#endSilenceIfBehind();
  }

  /** The log has nothing more below these offsets. */
  skipTo(offsets: Offsets): void {
    this.#offsets = offsets;
  }

  advanceClock(clock: ShardClock): void {
    this.#clock = laterClock(this.#clock, clock);
    this.#endSilenceIfBehind();
  }

  /** All of the history has been folded; its last offsets may be those of control records, which nobody folds. */
  endSilence(): void {
    this.#silent = null;
  }

  standUnder(spans: PolicySpans): void {
    this.#spans = spans;
    this.#policy = this.#policies.of(openPolicy(spans));
  }

  /** Beside those that customers stand under, the store keeps these policies from the next batch on. */
  keepTextsOf(target: PolicySpans): void {
    this.#target = target;
  }

  /** The open batch is sealed with these writes and told with all that stands here; the next one is open from then on. */
  seal(writes: readonly CustomerWrite[], published: number): Told {
    const seq = this.#nextSeq;
    const receipt: Receipt = {
      seq,
      clock: this.#clock,
      ...recorded(this.#spans),
      silentBelow: this.#silent,
      ...this.#provenance,
    };
    const { policy, migrating, silentBelow } = receipt;
    const commit: StateCommit = {
      epoch: this.#epoch,
      expectedSeq: this.#storeSeq,
      writes,
      marks: {
        seq,
        offsets: this.#offsets,
        clock: this.#clock,
        published,
        policy,
        migrating,
        silentBelow,
        ...this.#provenance,
      },
      policyText: this.#policies.toStore(
        new Set([...this.#spans, ...this.#target].map((span) => span.policy)),
      ),
    };
    this.#storeSeq = seq;
    this.#nextSeq = seq + 1;
    this.#published = published;
    return { receipt, commit };
  }

  #endSilenceIfBehind(): void {
    const silent = this.#silent;
    if (silent === null || this.#clock === null || this.#clock.at < silent.at) return;
    const below = Object.entries(silent.offsets) as [keyof Offsets, number][];
    if (below.every(([topic, end]) => (this.#offsets[topic] ?? 0) >= end)) this.#silent = null;
  }
}
