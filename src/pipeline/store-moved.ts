import { RetriableError } from "./errors.ts";
import type { Held } from "./ports.ts";

/** The store is not where an owner left it: that one is no longer the owner, or has to fold again what the store lost. */
export function storeMoved(
  shard: number,
  found: { readonly epoch?: number; readonly seq?: number | null },
): RetriableError {
  const where = [];
  if (found.epoch !== undefined) where.push(`epoch ${found.epoch}`);
  if (found.seq !== undefined) where.push(`seq ${String(found.seq)}`);
  return new RetriableError(
    "STATE_MOVED",
    `the state of shard ${shard} is at ${where.join(", ")}, not where this owner left it: another owner, or the store lost its last writes`,
  );
}

/** For stores: throws unless a store that stands at `found` is where the reader wants it. */
export function assureHeld(
  shard: number,
  held: Held | undefined,
  found: { readonly epoch: number; readonly seq: number | null },
): void {
  if (held === undefined) return;
  if (found.epoch !== held.epoch || !held.seqs.includes(found.seq)) throw storeMoved(shard, found);
}
