import { decodeChange } from "../adapters/avro/encoder.ts";
import type { SegmentChange } from "../domain/change.ts";
import { registryOf } from "./compose-kafka.ts";
import { readTopic, type ReadOptions } from "./read-topic.ts";

/** Published changes as they come; a null change is a tombstone (I1 `watch`). */
export async function* watchChanges(
  options: ReadOptions,
): AsyncGenerator<{ readonly customerId: string; readonly change: SegmentChange | null }> {
  const registry = registryOf(options.servers);
  for await (const message of readTopic("segment-changes", options)) {
    const customerId = message.key?.toString("utf8") ?? "";
    yield { customerId, change: message.value === null ? null : await decodeChange(registry, message.value) };
  }
}
