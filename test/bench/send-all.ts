import type { Message } from "kafkajs";
import { createAvroEncoder, type AvroEncoder } from "../../src/adapters/avro/encoder.ts";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { kafkaClient, registryOf, type Servers } from "../../src/app/compose-kafka.ts";
import type { SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";

/** Records of one send, for each partition: batches are equally long whatever the number of partitions. */
const RECORDS_PER_PARTITION = 300;

/** Sends events; each call resolves when they are in the log, in order. */
export interface Sender {
  send(events: readonly SimulatedEvent[]): Promise<void>;
  close(): Promise<void>;
}

export async function openSender(servers: Servers, shards: number): Promise<Sender> {
  const encoder = await createAvroEncoder(registryOf(servers), servers.topicPrefix);
  const producer = kafkaClient(servers, createLogger("error")).producer({ idempotent: true });
  await producer.connect();
  return {
    async send(events) {
      const byTopic = new Map<string, Message[]>();
      for (const event of events) {
        const messages = byTopic.get(event.topic);
        const message = messageOf(event, encoder, shards);
        if (messages === undefined) byTopic.set(event.topic, [message]);
        else messages.push(message);
      }
      const topicMessages = [...byTopic].map(([topic, messages]) => ({
        topic: servers.topicPrefix + topic,
        messages,
      }));
      await producer.sendBatch({ acks: -1, topicMessages });
    },
    close: () => producer.disconnect(),
  };
}

function messageOf(event: SimulatedEvent, encoder: AvroEncoder, shards: number): Message {
  const key = Buffer.from(event.customerId, "utf8");
  return { key, value: encoder.event(event), partition: partitionOf(key, shards) };
}

/** Events as fast as they go; resolves when all are in the log. */
export async function sendAll(
  servers: Servers,
  shards: number,
  events: Iterable<SimulatedEvent>,
): Promise<void> {
  const sender = await openSender(servers, shards);
  try {
    let slice: SimulatedEvent[] = [];
    for (const event of events) {
      slice.push(event);
      if (slice.length < RECORDS_PER_PARTITION * shards) continue;
      await sender.send(slice);
      slice = [];
    }
    if (slice.length > 0) await sender.send(slice);
  } finally {
    await sender.close();
  }
}
