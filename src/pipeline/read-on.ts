import { FACT_TOPICS, type FactTopic } from "../domain/events.ts";
import type { Offsets, ShardLog } from "./ports.ts";

/**
 * Where a shard that has folded all it took reads on: behind its last records, and behind what nobody folds (commit markers, aborted
 * records) where the log has passed that. What is buffered is still to be folded. Were the offsets left before such a tail, retention
 * would one day delete it and make them look like those of records that were lost.
 */
export function readOn(log: ShardLog, folded: Offsets): Offsets {
  const ahead = FACT_TOPICS.filter((topic) => nextOf(log, topic) > (folded[topic] ?? 0));
  if (ahead.length === 0) return folded;
  return { ...folded, ...Object.fromEntries(ahead.map((topic) => [topic, nextOf(log, topic)])) };
}

function nextOf(log: ShardLog, topic: FactTopic): number {
  return log.buffered(topic)[0]?.offset ?? log.position(topic);
}
