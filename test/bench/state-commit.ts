import type { CustomerWrite, StateCommit } from "../../src/pipeline/ports.ts";

/** The commit of these customers that comes after `seq - 1`, of a shard that has published all before it. */
export function stateCommit(epoch: number, seq: number, writes: readonly CustomerWrite[]): StateCommit {
  const marks = {
    seq,
    offsets: { orders: seq * writes.length },
    clock: null,
    published: seq,
    policy: "p".repeat(64),
    migrating: null,
    silentBelow: null,
  };
  return { epoch, expectedSeq: seq - 1, writes, marks, policyText: null };
}
