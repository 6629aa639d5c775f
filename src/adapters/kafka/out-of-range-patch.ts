import { patchMethod } from "./method-patch.ts";

/** An assigner that wants to know when an offset its consumer asked for is not in the log. */
export interface OutOfRangeListener {
  onOffsetOutOfRange(topic: string, partition: number): void;
}

interface OutOfRange {
  readonly topic: string;
  readonly partition: number;
}

interface ConsumerGroup {
  readonly assigners: readonly Partial<OutOfRangeListener>[];
  readonly preferredReadReplicasPerTopicPartition: Readonly<
    Record<string, Readonly<Record<number, unknown>>>
  >;
  pause(topicPartitions: { topic: string; partitions: number[] }[]): void;
}

type Recover = (this: ConsumerGroup, error: OutOfRange) => Promise<void>;

/**
 * kafkajs (2.2.4) answers OFFSET_OUT_OF_RANGE by committing "the beginning" as the group's offset, which destroys the receipt that
 * travels with it (A4), and by reading on from there, which skips what was deleted. With the patch the partition is paused and the
 * consumer's assigner is told instead: its owner decides. Consumers of others are left as they are.
 * @throws Error when kafkajs is not the version that is known: without the patch records could be skipped
 */
export function patchOutOfRange(): void {
  patchMethod<Recover>("consumerGroup", "recoverFromOffsetOutOfRange", tellingTheOwner);
}

function tellingTheOwner(original: Recover): Recover {
  return async function recover(error) {
    const { topic, partition } = error;
    const listener = this.assigners.find(({ onOffsetOutOfRange }) => onOffsetOutOfRange !== undefined);
    const isFromFollower =
      typeof this.preferredReadReplicasPerTopicPartition[topic]?.[partition] === "number";
    if (listener === undefined || isFromFollower) return original.call(this, error);
    this.pause([{ topic, partitions: [partition] }]);
    listener.onOffsetOutOfRange?.(topic, partition);
  };
}
