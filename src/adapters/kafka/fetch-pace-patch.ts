import { patchMethod } from "./method-patch.ts";

/** An assigner whose consumer waits until a fetch is worth its while. */
export interface Paced {
  /** After a fetch that brought little, the next of the same broker begins no sooner than this after its beginning, ms. */
  readonly fetchEveryMs: number;
}

interface ConsumerGroup {
  readonly assigners: readonly Partial<Paced>[];
}

interface Batch {
  readonly messages: readonly unknown[];
}

type Fetch = (this: ConsumerGroup, nodeId: string) => Promise<readonly Batch[]>;

/** What a fetch costs is little beside what these cost to fold: whoever is behind does not wait. */
const MANY_RECORDS = 500;

/** By broker, when the last fetch began, on a clock that never goes back; missing: it brought much. */
const begun = new WeakMap<ConsumerGroup, Map<string, number>>();

/**
 * A broker answers a fetch as soon as there is a single record, and kafkajs (2.2.4) asks again at once: steady traffic makes
 * it ask hundreds of times a second, for a handful of records each, and a request costs the two together as much as the fold of
 * twenty records. With the patch what comes in a short while comes together. Consumers of others are left as they are.
 * @throws Error when kafkajs is not the version that is known
 */
export function patchFetchPace(): void {
  patchMethod<Fetch>("consumerGroup", "fetch", pacing);
}

function pacing(original: Fetch): Fetch {
  return async function fetch(nodeId) {
    const everyMs = this.assigners.find(({ fetchEveryMs }) => fetchEveryMs !== undefined)?.fetchEveryMs;
    if (everyMs === undefined) return original.call(this, nodeId);
    const ofBrokers = begun.get(this) ?? new Map<string, number>();
    begun.set(this, ofBrokers);
    const waitMs = (ofBrokers.get(nodeId) ?? -Infinity) + everyMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const now = performance.now();
    const batches = await original.call(this, nodeId);
    const count = batches.reduce((sum, { messages }) => sum + messages.length, 0);
    if (count < MANY_RECORDS) ofBrokers.set(nodeId, now);
    else ofBrokers.delete(nodeId);
    return batches;
  };
}
