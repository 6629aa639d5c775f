import { createRequire } from "node:module";
// Before kafkajs's files are asked for one by one.
import "./kafkajs.ts";

const require = createRequire(import.meta.url);

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
  recoverFromOffsetOutOfRange: (this: ConsumerGroup, error: OutOfRange) => Promise<void>;
}

let isDone = false;

/**
 * kafkajs (2.2.4) answers OFFSET_OUT_OF_RANGE by committing "the beginning" as the group's offset, which destroys the receipt that
 * travels with it (A4), and by reading on from there, which skips what was deleted. With the patch the partition is paused and the
 * consumer's assigner is told instead: its owner decides. Consumers of others are left as they are.
 * @throws Error when kafkajs is not the version that is known: without the patch records could be skipped
 */
export function patchOutOfRange(): void {
  if (isDone) return;
  const { prototype } = require("kafkajs/src/consumer/consumerGroup.js") as { prototype: ConsumerGroup };
  const original = prototype.recoverFromOffsetOutOfRange as
    ConsumerGroup["recoverFromOffsetOutOfRange"] | undefined;
  if (original === undefined) throw new Error("this is not the kafkajs whose inside is known (2.2.4)");
  prototype.recoverFromOffsetOutOfRange = async function recover(this: ConsumerGroup, error): Promise<void> {
    const { topic, partition } = error;
    const listener = this.assigners.find(({ onOffsetOutOfRange }) => onOffsetOutOfRange !== undefined);
    const isFromFollower =
      typeof this.preferredReadReplicasPerTopicPartition[topic]?.[partition] === "number";
    if (listener === undefined || isFromFollower) return original.call(this, error);
    this.pause([{ topic, partitions: [partition] }]);
    listener.onOffsetOutOfRange?.(topic, partition);
  };
  isDone = true;
}
