import type { Policy } from "../domain/policy.ts";
import type { CacheBudget } from "./customer-cache.ts";
import type { Clock, Decoder, StateCodec, StateStore } from "./ports.ts";
import type { Telemetry } from "./telemetry.ts";

/** What the pipeline says to people; fields instead of prose, no payloads, no customer ids. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** How shards run. Times in milliseconds. */
export interface ShardOptions {
  /**
   * A batch is closed when it has this many records, half as many outputs, or a sweep's customers. Only one that is
   * behind comes so far; it changes each of its customers once however often they come: 16 000 instead of 4 000 take a fifth less CPU, 32 000 another twentieth (64 000 no less, and hold a thread up for most of a second).
   */
  readonly batchRecords: number;
  /** A batch is closed this long after the one before, up to twice as long where commits take long; a transaction costs 4 ms of client CPU (A10), so not oftener than 100 in production. */
  readonly commitIntervalMs: number;
  /** Deadlines are looked for this often while the shard is caught up. */
  readonly sweepIntervalMs: number;
  /**
   * At most about this many customers are swept in one batch (A5). Live traffic waits for two such batches of each shard of its thread:
   * amid a million deadlines of one instant, 180 of them made its p99 0.33 s and took 37 s, 250 made it 0.35 and 0.56 (two runs) and took 31 and 33.
   */
  readonly sweepCustomers: number;
  /** Offsets and receipt of batches without output are committed this often (A4). */
  readonly refreshMs: number;
  /** Memory for decoded customers, of all shards of a thread together. */
  readonly cacheBytes: number;
  readonly firstStart: "publish" | "silent";
  readonly onStateLoss: "stop" | "rebuild";
  /** Wait before acquiring again after trouble: a random time between these, doubling up to the second. */
  readonly backoffMs: readonly [least: number, most: number];
}

export const DEFAULT_SHARD_OPTIONS: ShardOptions = {
  batchRecords: 32_000,
  commitIntervalMs: 100,
  sweepIntervalMs: 100,
  sweepCustomers: 180,
  refreshMs: 5000,
  cacheBytes: 2 ** 30,
  firstStart: "publish",
  onStateLoss: "stop",
  backoffMs: [200, 5000],
};

/** Everything a shard works with. */
export interface ShardDeps {
  readonly store: StateStore;
  readonly codec: StateCodec;
  readonly decoder: Decoder;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
  readonly policy: Policy;
  /** Stores a policy as text and reads it back, so that a later start can go on from the policies it finds (S7.3). */
  readonly policies: {
    text(policy: Policy): string;
    parse(text: string): Policy;
    /** Given by hand, for a store that has lost their text. */
    readonly former?: readonly Policy[];
  };
  readonly options: ShardOptions;
  /** Shared by all shards of a thread. */
  readonly budget: CacheBudget;
}
