import { setTimeout as sleep } from "node:timers/promises";
import type { Message } from "kafkajs";
import { createAvroEncoder } from "../adapters/avro/encoder.ts";
import { readEventFiles, type EventFileProgress } from "../adapters/embedded/event-files.ts";
import { kafkaFailure } from "../adapters/kafka/failures.ts";
import { checkTopics } from "../adapters/kafka/topics.ts";
import type { FactTopic } from "../domain/events.ts";
import { UsageError } from "../pipeline/errors.ts";
import type { Logger } from "../pipeline/options.ts";
import { partitionOf } from "../shared/murmur2.ts";
import { withAdmin } from "./admin.ts";
import { kafkaClient, registryOf, type Servers } from "./compose-kafka.ts";

export interface ProduceOptions {
  readonly servers: Servers;
  readonly files: readonly string[];
  /** Events a second; null: as fast as possible. */
  readonly rate: number | null;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  onProgress(progress: EventFileProgress, sent: number): void;
  /** A line that is no event: it can't be sent. */
  onRefused(file: string, line: number, why: string): void;
}

/** Event files → input topics: Avro, keyed by customer, partitioned as Java does it (I1 `produce`). Returns how many were sent. */
export async function produce(options: ProduceOptions): Promise<number> {
  const { servers, rate, signal, logger } = options;
  // First what costs nothing to check: the files.
  const files = await readEventFiles(options.files);
  const encoder = await createAvroEncoder(registryOf(servers), servers.topicPrefix);
  const partitions = await withAdmin(servers, logger, "asking for the input topics", (admin) =>
    checkTopics(admin, servers.topicPrefix),
  );
  const producer = kafkaClient(servers, logger).producer({ idempotent: true, maxInFlightRequests: 5 });
  await producer.connect();
  let sent = 0;
  const startedAt = performance.now();
  try {
    for await (const records of files) {
      if (signal.aborted) break;
      const slice = rate === null ? records.length : Math.max(1, Math.floor(rate / 20));
      for (let from = 0; from < records.length && !isAborted(signal); from += slice) {
        const byTopic = new Map<FactTopic, Message[]>();
        for (const { decoded, file } of records.slice(from, from + slice)) {
          if (decoded?.kind !== "event") {
            if (decoded !== undefined) options.onRefused(file?.name ?? "", file?.line ?? 0, decoded.detail);
            continue;
          }
          const { event } = decoded;
          const messages = byTopic.get(event.topic) ?? [];
          byTopic.set(event.topic, messages);
          const key = Buffer.from(event.customerId, "utf8");
          messages.push({ key, value: encoder.event(event), partition: partitionOf(key, partitions) });
          sent++;
        }
        await producer.sendBatch({
          acks: -1,
          topicMessages: [...byTopic].map(([topic, messages]) => ({
            topic: servers.topicPrefix + topic,
            messages,
          })),
        });
        options.onProgress(files.progress(), sent);
        if (rate !== null) {
          const aheadMs = (sent / rate) * 1000 - (performance.now() - startedAt);
          if (aheadMs > 0) await sleep(aheadMs, undefined, { signal }).catch(() => undefined);
        }
      }
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw kafkaFailure(`sending (${sent} events are sent)`, error);
  } finally {
    await producer.disconnect();
  }
  return sent;
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
