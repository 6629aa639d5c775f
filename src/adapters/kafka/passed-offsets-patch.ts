import { patchMethod } from "./method-patch.ts";

/** An assigner that wants to know what its consumer read and does not deliver. */
export interface PassedListener {
  /** A fetch from `from` on brought nothing but control records and what was aborted; the next one is from `next` on. */
  onPassed(topic: string, partition: number, from: number, next: number): void;
}

interface Batch {
  readonly topic: string;
  readonly partition: number;
  readonly fetchedOffset: string;
  isEmptyDueToFiltering(): boolean;
  lastOffset(): string;
}

interface ConsumerGroup {
  readonly assigners: readonly Partial<PassedListener>[];
}

type Fetch = (this: ConsumerGroup, nodeId: string) => Promise<readonly Batch[]>;

/**
 * kafkajs (2.2.4) reads on behind control records and aborted data without a word when a fetch brought nothing else. With the patch
 * the consumer's assigner is told: what is committed must not stay before a commit marker for ever, because retention deletes that
 * as it does records, and then nothing tells it from a record that was lost.
 * @throws Error when kafkajs is not the version that is known: without the patch a shard would wait for what never comes
 */
export function patchPassedOffsets(): void {
  patchMethod<Fetch>("consumerGroup", "fetch", tellingWhatIsPassed);
}

function tellingWhatIsPassed(original: Fetch): Fetch {
  return async function fetch(nodeId) {
    const batches = await original.call(this, nodeId);
    const listener = this.assigners.find(({ onPassed }) => onPassed !== undefined);
    if (listener === undefined) return batches;
    for (const batch of batches) {
      if (!batch.isEmptyDueToFiltering()) continue;
      const next = Number(batch.lastOffset()) + 1;
      listener.onPassed?.(batch.topic, batch.partition, Number(batch.fetchedOffset), next);
    }
    return batches;
  };
}
