import { FACT_TOPICS } from "../domain/events.ts";
import type { Instant } from "../shared/instant.ts";
import { instant } from "../shared/instant.ts";
import { acquire } from "./acquire.ts";
import type { Batch } from "./batch.ts";
import { ClientelaError, RefusedError } from "./errors.ts";
import { Merge } from "./merge.ts";
import type { ShardDeps } from "./options.ts";
import type { ShardLog } from "./ports.ts";
import { changePolicy } from "./repolicy.ts";
import type { ShardSession } from "./session.ts";
import { sweep, sweepEnd } from "./sweep.ts";
import type { ShardPhase } from "./telemetry.ts";

/** Records folded between two looks at the clock, so that one shard does not hold up the others. */
const STEP_RECORDS = 1000;
/** A topic counts as caught up for deadlines when it was so at some moment this recent (S7.1b). */
const CAUGHT_UP_WITHIN_MS = 1000;
/** A shard commits for a third of its time at most, until its interval has doubled: with a fifth p99 is a quarter longer at half load. */
const INTERVAL_IN_COMMITS = 3;
/** How often lag is reported. */
const LAG_INTERVAL_MS = 1000;

/** Why a pause ends. Without a reason of its own each would make an error, with its stack: two hundredths of the CPU of live traffic. */
const OVER = "over";

/** Another owner holds the shard, in the log or in the store (A4). */
const SUCCEEDED: ReadonlySet<string> = new Set(["FENCED", "STATE_MOVED"]);

/** What a shard does while this process has it. */
export type ShardState = Exclude<ShardPhase, "released">;

/**
 * The one owner of a shard in this process (A3): acquires it, folds and commits until told to stop, and takes every trouble
 * that may pass as a reason to acquire again (A4). `run` resolves when stopped and rejects when going on would be wrong.
 */
export class Shard {
  readonly shard: number;
  readonly #deps: ShardDeps;
  readonly #log: ShardLog;
  readonly #stop = new AbortController();
  readonly #idleWaiters: (() => void)[] = [];
  /** Ends the pause the loop is in, if it is in one. */
  #poke: (() => void) | null = null;
  #state: ShardState = "acquiring";
  #trouble: string | null = null;

  constructor(deps: ShardDeps, shard: number, log: ShardLog) {
    this.#deps = deps;
    this.shard = shard;
    this.#log = log;
  }

  get state(): ShardState {
    return this.#state;
  }

  /** What keeps the shard from running, for people; null when nothing does. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Ends the loop after what has been folded is committed. */
  stop(): void {
    this.#stop.abort();
  }

  /** Resolves when all that is in the log, and every deadline ≤ the clock, has been applied and committed; or the shard has ended. */
  settled(): Promise<void> {
    if (this.#state === "stopped") return Promise.resolve();
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.#poke?.();
    });
  }

  async run(): Promise<void> {
    let attempt = 0;
    let damage: string | null = null;
    let hasRebuilt = false;
    try {
      while (!this.#isStopping()) {
        try {
          this.#enter("acquiring");
          const started = performance.now();
          const since = this.#deps.clock.now();
          const { session, path } = await acquire(
            this.#deps,
            this.shard,
            this.#log,
            this.#stop.signal,
            damage,
          );
          damage = null;
          this.#deps.telemetry.acquired((performance.now() - started) / 1000, path);
          this.#deps.logger.info({ shard: this.shard, path, epoch: session.epoch }, "shard acquired");
          try {
            await changePolicy(this.#deps, session, this.#stop.signal);
            this.#enter("running");
            await this.#work(session, since, () => (attempt = 0));
          } finally {
            await session.end();
          }
        } catch (error) {
          // A state that can't be read is a lost one, once: what has just been rebuilt and can't be read is a bug.
          if (this.#isLostState(error) && !hasRebuilt && !this.#isStopping()) {
            damage = error.message;
            hasRebuilt = true;
            continue;
          }
          if (!(error instanceof ClientelaError) || !error.retriable) throw error;
          if (this.#isStopping()) {
            const fields = { shard: this.shard, code: error.code, error: error.message };
            const message = "shard was stopped amid trouble, what it had under way is left to its next owner";
            // Who has been succeeded before it could finish is no trouble: a group that shares out anew does not wait.
            if (SUCCEEDED.has(error.code)) this.#deps.logger.info(fields, message);
            else this.#deps.logger.warn(fields, message);
            return;
          }
          this.#trouble = error.message;
          this.#enter("waiting");
          const waitMs = this.#backoff(attempt++);
          this.#deps.logger.warn(
            { shard: this.shard, code: error.code, error: error.message, waitMs },
            "shard lost its footing, acquiring again",
          );
          await this.#deps.clock.sleep(waitMs, this.#stop.signal);
        }
      }
    } finally {
      this.#enter("stopped");
      for (const resolve of this.#idleWaiters.splice(0)) resolve();
    }
  }

  #isLostState(error: unknown): error is RefusedError {
    return (
      error instanceof RefusedError &&
      error.code === "STATE_DAMAGED" &&
      this.#deps.options.onStateLoss === "rebuild"
    );
  }

  /** `since`: before the log was asked where it ends; a topic that ended at its position then holds nobody up. */
  async #work(session: ShardSession, since: Instant, onProgress: () => void): Promise<void> {
    const { clock, options, store } = this.#deps;
    // A silent first start takes nothing that is live before its history is behind, deadlines included (I6).
    let merge = new Merge(this.#log, this.#deps.decoder, session.position.silent?.offsets ?? null);
    let isHistory = session.position.silent !== null;
    let batch: Batch | null = null;
    let sealedAt = instant(0);
    let sweptTo: Instant | null = null;
    let reportedAt = clock.now();

    for (;;) {
      session.throwIfFailed();
      let progressed = false;
      const isFull = batch !== null && this.#isFull(batch);
      if (!this.#isStopping() && !(isFull && session.isCommitting)) {
        const merged = await merge.take(Math.min(STEP_RECORDS, options.batchRecords), since);
        if (merged.length > 0) {
          batch ??= session.open(false);
          await session.add(batch, merged);
          progressed = true;
        }
      }
      const now = clock.now();
      const isDrained = merge.isDrained(instant(now - CAUGHT_UP_WITHIN_MS));
      const isSweepDue = sweptTo === null || now - sweptTo >= options.sweepIntervalMs;
      if (isDrained && isSweepDue && !progressed && !this.#isStopping()) {
        const open: Batch = batch ?? session.open(false);
        const end = sweepEnd(session, now);
        const isDone = await sweep(session, open, store, end, options.sweepCustomers);
        if (isDone && end.at === now) sweptTo = now;
        else progressed = true;
        if (isDone && isHistory) {
          isHistory = false;
          session.position.endSilence();
          merge = new Merge(this.#log, this.#deps.decoder, null);
        }
        if (!open.isEmpty) batch = open;
      }
      const refresh = session.needsRefresh(now, this.#isStopping());
      if (batch === null && refresh) batch = session.open(false);
      if (batch !== null && this.#isSealDue(session, batch, now, sealedAt, progressed)) {
        await session.seal(batch, { refresh });
        batch = null;
        sealedAt = now;
        onProgress();
      }
      if (now - reportedAt >= LAG_INTERVAL_MS) {
        reportedAt = now;
        this.#reportLag(session);
      }
      if (this.#isStopping() && batch === null) {
        await session.settle();
        return;
      }
      if (progressed) continue;
      if (
        batch === null &&
        !session.isCommitting &&
        isDrained &&
        sweptTo !== null &&
        sweptTo >= clock.now()
      ) {
        // The commit may have failed since the last look.
        session.throwIfFailed();
        for (const resolve of this.#idleWaiters.splice(0)) resolve();
      }
      await this.#pause(session, batch === null ? null : sealedAt + this.#intervalMs(session));
    }
  }

  /**
   * Most records change no classification, and cost little: what a batch publishes fills it sooner. One sweep is a batch (A5: a storm
   * is many): what comes in meanwhile waits for the batch before and for its own.
   */
  #isFull(batch: Batch): boolean {
    const { batchRecords, sweepCustomers } = this.#deps.options;
    const weight = Math.max(batch.records, 2 * batch.outputs);
    return weight >= batchRecords || batch.swept >= sweepCustomers || batch.isFull;
  }

  /** A batch waits for the commit before it, and for its turn, unless it is full or the shard is leaving. */
  #isSealDue(
    session: ShardSession,
    batch: Batch,
    now: number,
    sealedAt: number,
    progressed: boolean,
  ): boolean {
    if (this.#isStopping() || this.#isFull(batch)) return true;
    if (session.isCommitting) return false;
    const intervalMs = this.#intervalMs(session);
    const isTurn = now - sealedAt >= intervalMs;
    // While more is coming in, or customers are still being read, the batch may fill for one interval from its first record on.
    const mayFill = progressed || session.isLoading;
    return isTurn && (!mayFill || now - batch.openedAt >= intervalMs);
  }

  /** Where commits take long everyone is busy, and fewer of them leave more for the work: few records cost the more the fewer they are. */
  #intervalMs(session: ShardSession): number {
    const { commitIntervalMs } = this.#deps.options;
    return Math.min(
      2 * commitIntervalMs,
      Math.max(commitIntervalMs, INTERVAL_IN_COMMITS * session.lastCommitMs),
    );
  }

  /** Waits until something happens: records, the end of a commit or of reading, the batch's turn, the next sweep, or the stop. */
  async #pause(session: ShardSession, wakeAt: number | null): Promise<void> {
    const { clock, options } = this.#deps;
    const now = clock.now();
    const sleepMs = Math.max(1, Math.min(options.sweepIntervalMs, wakeAt === null ? Infinity : wakeAt - now));
    const abort = new AbortController();
    const stop = (): void => abort.abort(OVER);
    this.#poke = stop;
    this.#stop.signal.addEventListener("abort", stop, { once: true });
    const waits = [this.#log.changed(abort.signal), clock.sleep(sleepMs, abort.signal)];
    if (session.isCommitting) waits.push(session.whenCommitted());
    if (session.isLoading) waits.push(session.whenLoaded());
    if (!this.#isStopping()) await Promise.race(waits);
    else await session.whenCommitted();
    this.#poke = null;
    abort.abort(OVER);
    this.#stop.signal.removeEventListener("abort", stop);
  }

  /** By the ends that the log knows of: what it delivers is held up by no question. A log that can't be asked shows when it is read. */
  #reportLag(session: ShardSession): void {
    for (const topic of FACT_TOPICS) {
      const end = this.#log.knownEnd(topic);
      if (end === null) continue;
      const position = Math.max(session.position.offsets[topic] ?? 0, 0);
      const isThere = this.#log.buffered(topic).length === 0 && this.#log.position(topic) >= end;
      this.#deps.telemetry.lag(this.shard, topic, isThere ? 0 : Math.max(0, end - position));
    }
  }

  #enter(state: ShardState): void {
    this.#state = state;
    if (state === "running" || state === "stopped") this.#trouble = null;
    this.#deps.telemetry.shard(this.shard, state);
  }

  #isStopping(): boolean {
    return this.#stop.signal.aborted;
  }

  #backoff(attempt: number): number {
    const [least, most] = this.#deps.options.backoffMs;
    return least + Math.random() * Math.min(most - least, least * 2 ** attempt);
  }
}
