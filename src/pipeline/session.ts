import type { Policy } from "../domain/policy.ts";
import type { Instant } from "../shared/instant.ts";
import { Batch, hasOutput } from "./batch.ts";
import type { CustomerCache } from "./customer-cache.ts";
import { CustomerLoads } from "./customer-loads.ts";
import { RetriableError } from "./errors.ts";
import type { KnownPolicies } from "./known-policies.ts";
import { provenanceOf } from "./log-identity.ts";
import { storeMoved } from "./store-moved.ts";
import type { MergedRecord } from "./merge.ts";
import type { ShardDeps } from "./options.ts";
import type { BatchOutput, Held, ShardLog, StoredCustomer } from "./ports.ts";
import { readOn } from "./read-on.ts";
import { ShardPosition, type StartPosition, type Told } from "./shard-position.ts";

/** A batch that can't change any more, ready to be committed. */
interface Sealed extends Told {
  readonly batch: Batch;
  readonly output: BatchOutput<unknown, unknown>;
  readonly transactional: boolean;
}

/**
 * One ownership of a shard, from *acquire* until trouble or release: the position in memory, the customers in memory, and
 * the two steps of the commit (A4). After any failure the whole session is void.
 */
export class ShardSession {
  readonly shard: number;
  readonly log: ShardLog;
  readonly epoch: number;
  readonly position: ShardPosition;
  readonly cache: CustomerCache;
  readonly policies: KnownPolicies;
  /** Before this instant the store has no deadline, nor will it when what is sealed is committed. */
  noneDueBefore = -Infinity;
  /** How long the last commit took, by the wall clock. */
  lastCommitMs = 0;
  readonly #deps: ShardDeps;
  readonly #loads: CustomerLoads;
  /** seq that the store is known to hold. */
  #committedSeq: number;
  #inFlight: { readonly batch: Batch; readonly done: Promise<void> } | null = null;
  #failure: Error | null = null;
  #transactedAt: number;
  #outputsPerRecord = 0;

  constructor(
    deps: ShardDeps,
    shard: number,
    log: ShardLog,
    epoch: number,
    start: StartPosition,
    policies: KnownPolicies,
  ) {
    this.#deps = deps;
    this.shard = shard;
    this.log = log;
    this.epoch = epoch;
    this.cache = deps.budget.open();
    this.#loads = new CustomerLoads({
      shard,
      cache: this.cache,
      codec: deps.codec,
      read: (customerIds) => this.#read(customerIds),
      failed: (error) => this.#fail(error),
    });
    this.#committedSeq = start.storeSeq;
    this.policies = policies;
    const provenance = provenanceOf(log, start.provenance);
    this.position = new ShardPosition({ ...start, provenance }, epoch, policies);
    this.#transactedAt = deps.clock.now();
  }

  get isCommitting(): boolean {
    return this.#inFlight !== null;
  }
  /** Customers whose last change the store may not hold yet. */
  get inFlight(): Batch | null {
    return this.#inFlight?.batch ?? null;
  }

  /**
   * True when progress without output has waited long enough for its offsets (A4), or the log has only passed what nobody folds. Whoever
   * leaves (`isLast`) does not wait for the latter: retention may delete it before the next start.
   */
  needsRefresh(now: Instant, isLast: boolean): boolean {
    const isDue = now - this.#transactedAt >= this.#deps.options.refreshMs;
    if (isDue && this.position.isAheadOfPublished) return true;
    const { offsets } = this.position;
    return (isDue || isLast) && readOn(this.log, offsets) !== offsets;
  }

  open(quiet: boolean, policy: Policy = this.position.policy): Batch {
    const { clock, codec, telemetry } = this.#deps;
    const { nextSeq, offsets, silent } = this.position;
    return new Batch(nextSeq, clock.now(), offsets, {
      shard: this.shard,
      policy,
      cache: this.cache,
      codec,
      packing: this.log.packing,
      telemetry,
      now: () => clock.now(),
      outputsPerRecord: this.#outputsPerRecord,
      quiet,
      silent: quiet ? null : silent,
    });
  }

  /** Brings customers, each once, into the cache, and holds those there until the batch that is open now has been committed. */
  async load(customerIds: Iterable<string>, policy: Policy = this.position.policy): Promise<void> {
    this.#loads.start(customerIds, { policy, seq: this.position.nextSeq, isPassing: true });
    await this.loaded();
  }

  /** Resolves when all that was asked for is in the cache, and throws what failed. Nothing may be folded before. */
  async loaded(): Promise<void> {
    await this.#loads.ended();
    this.throwIfFailed();
  }

  get isLoading(): boolean {
    return this.#loads.isUnderWay;
  }

  /** Resolves when nothing is being read any more, however that ended. */
  whenLoaded(): Promise<void> {
    return this.#loads.ended();
  }

  /**
   * To be awaited when the session is given up, whatever for: an answer that comes for it later would mix with those for the shard's next
   * owner in this process, and its memory is wanted.
   */
  async end(): Promise<void> {
    this.#loads.giveUp();
    await this.#loads.ended();
    this.cache.close();
  }

  async #read(customerIds: readonly string[]): Promise<(StoredCustomer | null)[]> {
    const stored = await this.#deps.store.read(this.shard, customerIds, this.held);
    await this.assureRead();
    return stored;
  }

  /**
   * Where the store must be when it answers: nothing may be built on another owner's states, nor on those of a store that lost its
   * last writes. Kafka goes first in a commit (A4), so the script's own compare would come too late for what was folded on them.
   */
  get held(): Held {
    const committed = this.#committedSeq === 0 ? null : this.#committedSeq;
    const inFlight = this.#inFlight;
    return { epoch: this.epoch, seqs: inFlight === null ? [committed] : [committed, inFlight.batch.seq] };
  }

  /** To be called after a read, before anything is built on it: throws RetriableError when the store is damaged or elsewhere by now. */
  async assureRead(): Promise<void> {
    const { seqs } = this.held;
    const { epoch, seq, damage = null } = await this.#deps.store.position(this.shard);
    // What becomes of it is decided when the shard is acquired anew.
    if (damage !== null)
      throw new RetriableError("STATE_MOVED", `the state of shard ${this.shard} is damaged: ${damage}`);
    // The commit in flight may have ended while the answer was on its way.
    if (epoch === this.epoch && [...seqs, this.#committedSeq].includes(seq)) return;
    throw storeMoved(this.shard, { epoch, seq });
  }

  /**
   * Takes records into the batch; they are folded before the clock moves, at the latest when the batch is sealed. Their customers are
   * loaded meanwhile. Resolves when there is room for more.
   */
  async add(batch: Batch, records: readonly MergedRecord[]): Promise<void> {
    const { policy } = this.position;
    this.#loads.start(batch.add(records), { policy, seq: batch.seq, isPassing: false });
    this.position.takeUpTo(batch.offsets);
    await this.#loads.room();
  }

  /**
   * Closes the batch and starts its commit, after the one in flight. `silent`: only the store is written, `published` becomes
   * what is given. Otherwise a transaction comes first when there is output or `refresh` asks for one (A4 steps 2 and 3).
   */
  async seal(batch: Batch, how: { refresh: boolean } | { silent: true; published: number }): Promise<void> {
    await this.loaded();
    const sealed = this.#close(batch, how);
    await this.settle();
    const done = this.#commit(sealed).then(
      () => {
        this.#inFlight = null;
        this.#committedSeq = batch.seq;
        this.cache.trim(batch.seq);
      },
      (error: unknown) => {
        this.#fail(error);
        this.#inFlight = null;
      },
    );
    this.#inFlight = { batch, done };
  }

  /** Waits for the commit in flight; throws what made it fail. */
  async settle(): Promise<void> {
    await this.#inFlight?.done;
    this.throwIfFailed();
  }

  throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** What went wrong first is the reason; the rest follows from it. */
  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }

  /** Resolves when the commit in flight has ended, however. */
  whenCommitted(): Promise<void> {
    return this.#inFlight?.done ?? Promise.resolve();
  }

  #close(batch: Batch, how: { refresh: boolean } | { silent: true; published: number }): Sealed {
    const { position } = this;
    const { output, writes } = batch.finish(position.clock);
    this.noneDueBefore = Math.min(this.noneDueBefore, batch.noneDueBefore);
    // What a sweep publishes says nothing of records: the few beside it would seem to publish hundreds each, and fill the next batch.
    if (batch.records > 0 && batch.swept === 0) this.#outputsPerRecord = batch.outputs / batch.records;
    const transactional = !("silent" in how) && (how.refresh || hasOutput(output));
    // A silent re-fold must not come past the receipt it follows.
    if (!("silent" in how)) position.skipTo(readOn(this.log, position.offsets));
    const published = "silent" in how ? how.published : transactional ? batch.seq : position.published;
    if (transactional) this.#transactedAt = this.#deps.clock.now();
    return { batch, output, transactional, ...position.seal(writes, published) };
  }

  async #commit(sealed: Sealed): Promise<void> {
    const { telemetry, store } = this.#deps;
    const started = performance.now();
    const since = this.#deps.clock.now();
    if (sealed.transactional) {
      await this.log.commit(sealed.output, { offsets: sealed.commit.marks.offsets, receipt: sealed.receipt });
      telemetry.commit("transaction", (performance.now() - started) / 1000);
    }
    const scriptStarted = performance.now();
    const result = await store.commit(this.shard, sealed.commit);
    if (result.kind === "fenced" || result.kind === "behind") {
      throw storeMoved(this.shard, result);
    }
    const ended = performance.now();
    telemetry.commit("script", (ended - scriptStarted) / 1000);
    telemetry.commit("total", (ended - started) / 1000);
    const now = this.#deps.clock.now();
    this.lastCommitMs = Math.max(0, now - since);
    sealed.batch.report(now);
    telemetry.cache(this.cache.hits, this.cache.misses);
    this.cache.hits = 0;
    this.cache.misses = 0;
  }
}
