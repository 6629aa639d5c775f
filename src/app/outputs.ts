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

/** What was refused, with where it came from (A6). */
export interface ListedDeadLetter {
  readonly reason: string;
  readonly message: string;
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number };
  readonly at: Date;
  /** base64; null: the record had no value. */
  readonly raw: string | null;
}

export async function* listDeadLetters(options: ReadOptions): AsyncGenerator<ListedDeadLetter> {
  for await (const message of readTopic("segment-dead-letters", options)) {
    const header = (name: string): string => {
      const value = message.headers?.[`clientela_error_${name}`];
      return (Array.isArray(value) ? value.at(-1) : value)?.toString() ?? "";
    };
    yield {
      reason: header("reason"),
      message: header("message"),
      source: {
        topic: header("topic"),
        partition: Number(header("partition")),
        offset: Number(header("offset")),
      },
      at: new Date(Number(message.timestamp)),
      raw: message.value?.toString("base64") ?? null,
    };
  }
}
