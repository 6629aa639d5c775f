import { CacheBudget } from "./customer-cache.ts";
import type { ShardDeps } from "./options.ts";
import type { ShardLog, ShardSource } from "./ports.ts";
import { Shard } from "./shard.ts";

interface Owned {
  readonly shard: Shard;
  readonly log: ShardLog;
  readonly ended: Promise<void>;
}

/**
 * Runs the shards that the group assigns to this process. `ended` rejects with the first trouble that waiting cannot mend
 * (RefusedError, or a bug); a supervisor restarts the process and it recovers by A4.
 */
export class Processor {
  readonly ended: Promise<never>;
  readonly #deps: ShardDeps;
  readonly #source: ShardSource;
  readonly #drainMs: number;
  readonly #owned = new Map<number, Owned>();
  #fail!: (error: unknown) => void;
  /** Shards that a stop has given up. */
  readonly #abandoned = new Set<number>();
  #isStarted = false;
  #isStopping = false;

  constructor(deps: Omit<ShardDeps, "budget">, source: ShardSource, drainMs: number) {
    this.#deps = { ...deps, budget: new CacheBudget(deps.options.cacheBytes) };
    this.#source = source;
    this.#drainMs = drainMs;
    this.ended = new Promise<never>((_, reject) => (this.#fail = reject));
    // Whoever waits for `ended` gets the error; without a waiter it must not count as unhandled.
    this.ended.catch(() => undefined);
  }

  async start(): Promise<void> {
    await this.#source.start({
      assigned: (shard, log) => this.#own(shard, log),
      revoked: (shard) => this.#release(shard),
      failed: (error) => this.#fail(error),
    });
    this.#isStarted = true;
  }

  /**
   * Finishes the running commits and takes nothing more; the group is still held. Returns the shards that were busy after the
   * drain time: what they had under way is left to their successors, which find it as after a crash (A4).
   */
  async drain(): Promise<number[]> {
    this.#isStopping = true;
    await Promise.all([...this.#owned.keys()].map((shard) => this.#release(shard)));
    return [...this.#abandoned];
  }

  /** Drains, then leaves the group. */
  async stop(): Promise<void> {
    await this.drain();
    await this.#source.stop();
  }

  /** What keeps this process from being ready; empty when every owned shard runs. */
  troubles(): string[] {
    const troubles: string[] = [];
    if (!this.#isStarted) troubles.push("has not joined the group yet");
    if (this.#isStopping) troubles.push("is stopping");
    for (const { shard } of this.#owned.values()) {
      if (shard.state !== "running") {
        troubles.push(
          `shard ${shard.shard} is ${shard.state}${shard.trouble === null ? "" : `: ${shard.trouble}`}`,
        );
      }
    }
    return troubles;
  }

  get shards(): readonly number[] {
    return [...this.#owned.keys()].sort((a, b) => a - b);
  }

  /** Resolves when every owned shard has applied and committed all that is there (Shard.settled). */
  async settled(): Promise<void> {
    await Promise.all([...this.#owned.values()].map(({ shard }) => shard.settled()));
  }

  #own(number: number, log: ShardLog): void {
    // The group may still hand out shards until it has been left.
    if (this.#isStopping) return;
    const shard = new Shard(this.#deps, number, log);
    const ended = shard.run().catch((error: unknown) => this.#fail(error));
    this.#owned.set(number, { shard, log, ended });
  }

  async #release(number: number): Promise<void> {
    const owned = this.#owned.get(number);
    if (owned === undefined) return;
    owned.shard.stop();
    const abort = new AbortController();
    const isDrained = await Promise.race([
      owned.ended.then(() => true),
      this.#deps.clock.sleep(this.#drainMs, abort.signal).then(() => false),
    ]);
    abort.abort();
    if (!isDrained) {
      if (this.#isStopping) this.#abandoned.add(number);
      this.#deps.logger.warn(
        { shard: number, drainMs: this.#drainMs },
        "shard was still busy after the drain time and is left to its next owner",
      );
    }
    this.#owned.delete(number);
    this.#deps.telemetry.shard(number, "released");
    await owned.log.close();
  }
}
