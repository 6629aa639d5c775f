import type { Consumer, KafkaMessage } from "kafkajs";
import { decodeChange } from "../adapters/avro/encoder.ts";
import type { SegmentChange } from "../domain/change.ts";
import type { Logger } from "../pipeline/options.ts";
import { kafkaClient, registryOf, type Servers } from "./compose-kafka.ts";

/** A record of an output topic, as committed readers see it. */
interface OutputRecord {
  readonly partition: number;
  readonly message: KafkaMessage;
}

export interface ReadOptions {
  readonly servers: Servers;
  readonly fromBeginning: boolean;
  /** Stop at the end that the topic had when reading began. */
  readonly untilEnd: boolean;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/**
 * Reads an output topic, committed records only, as a group of its own that leaves no offsets behind. Partitions are
 * interleaved as they come.
 */
async function* readTopic(topic: string, options: ReadOptions): AsyncGenerator<OutputRecord> {
  const { servers, signal } = options;
  const name = servers.topicPrefix + topic;
  const kafka = kafkaClient(servers, options.logger);
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map<number, number>();
  for (const { partition, low, high } of await admin.fetchTopicOffsets(name)) {
    if (Number(high) > Number(low)) ends.set(partition, Number(high));
  }
  const groupId = `clientela-reader-${process.pid}-${Date.now()}`;
  const queue: OutputRecord[] = [];
  let wake: () => void = () => undefined;
  const consumer: Consumer = kafka.consumer({ groupId, readUncommitted: false, maxWaitTimeInMs: 100 });
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [name], fromBeginning: options.fromBeginning });
    let quietCycles = 0;
    consumer.on(consumer.events.FETCH, () => {
      quietCycles++;
      wake();
    });
    await consumer.run({
      autoCommit: false,
      eachBatch: async (payload) => {
        const { batch } = payload;
        quietCycles = 0;
        for (const message of batch.messages) queue.push({ partition: batch.partition, message });
        if (Number(batch.lastOffset()) + 1 >= (ends.get(batch.partition) ?? Infinity))
          ends.delete(batch.partition);
        wake();
        // A slow reader holds the fetch back.
        while (queue.length > 10_000 && !signal.aborted)
          await new Promise((resolve) => setTimeout(resolve, 20));
        await payload.heartbeat();
      },
    });
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) {
        yield next;
        continue;
      }
      // The tail may be control records only, which never come: some fetches without anything say so.
      if (signal.aborted || (options.untilEnd && (ends.size === 0 || quietCycles > 5))) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    await consumer.disconnect();
    await admin.deleteGroups([groupId]).catch(() => undefined);
    await admin.disconnect();
  }
}

/** Published changes as they come; a null change is a tombstone (I1 `watch`). */
export async function* watchChanges(
  options: ReadOptions,
): AsyncGenerator<{ readonly customerId: string; readonly change: SegmentChange | null }> {
  const registry = registryOf(options.servers);
  for await (const { message } of readTopic("segment-changes", options)) {
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
  for await (const { message } of readTopic("segment-dead-letters", options)) {
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
