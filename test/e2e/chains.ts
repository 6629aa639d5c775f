import type { SegmentChange } from "../../src/domain/change.ts";
import type { Classification } from "../../src/domain/classification.ts";
import { replayedChanges as replayedHere } from "../replayed.ts";
import type { SeenChange } from "./application.ts";

/** S8: `previous` is the `current` published before, `seq` only grows. */
export function isChain(changes: readonly SegmentChange[]): boolean {
  return changes.every((change, i) => {
    const before = changes[i - 1];
    return (
      placeOf(change.previous) === placeOf(before?.current) &&
      (before === undefined || change.seq > before.seq)
    );
  });
}

/** All five axes as one text. */
export function placeOf(classification: Classification | null | undefined): string {
  if (classification === null || classification === undefined) return "nowhere";
  const { status, stage, value, attention, tags } = classification;
  return [status, stage, value, attention, ...tags].join(" ");
}

/** Changes by customer, each in the order published. */
export function chainsOf(seen: readonly SeenChange[]): Map<string, SegmentChange[]> {
  const chains = new Map<string, SegmentChange[]>();
  for (const { customerId, change } of seen) {
    if (change === null) throw new Error(`nobody erased ${customerId}`);
    const chain = chains.get(customerId) ?? [];
    chains.set(customerId, chain);
    chain.push(change);
  }
  return chains;
}

/** What a replay of the file in one process publishes, up to then. */
export async function replayedChanges(file: string, asOf: number): Promise<Map<string, SegmentChange[]>> {
  const changes = await replayedHere(file, asOf);
  return chainsOf(changes.map(([customerId, change]) => ({ customerId, change, receivedAt: 0 })));
}
