import type { Policy } from "../domain/policy.ts";
import type { Instant } from "../shared/instant.ts";
import type { CustomerCache } from "./customer-cache.ts";
import type { OutputPacking, SilentHistory, StateCodec } from "./ports.ts";
import type { Telemetry } from "./telemetry.ts";

/** What a batch works with, and how. */
export interface BatchContext {
  readonly shard: number;
  readonly policy: Policy;
  readonly cache: CustomerCache;
  readonly codec: StateCodec;
  readonly packing: OutputPacking;
  readonly telemetry: Telemetry;
  /** Wall clock: arrival of records without one, `decidedAt`, HISTORY or LIVE. A batch may stay open past a deadline. */
  now(): Instant;
  /** Of the batch before: what a record that waits for its fold is expected to publish. */
  readonly outputsPerRecord: number;
  /** Nothing is published at all: the silent re-fold of A4. */
  readonly quiet: boolean;
  /** A silent first start's history: there only segments are published (I6). */
  readonly silent: SilentHistory | null;
}
