import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin, Kafka, KafkaMessage, Message, Producer } from "kafkajs";
import { inject } from "vitest";
import { createAvroEncoder, type AvroEncoder } from "../../src/adapters/avro/encoder.ts";
import {
  kafkaClient,
  registryOf,
  startProcessor,
  type RunningProcessor,
  type Servers,
} from "../../src/app/compose-kafka.ts";
import { setup } from "../../src/app/setup.ts";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { Logger } from "../../src/pipeline/options.ts";
import { SILENT_TELEMETRY } from "../../src/pipeline/telemetry.ts";

/** Topics, subjects and an application of a test's own on the real servers. */
export interface Rig {
  readonly env: Readonly<Record<string, string>>;
  readonly servers: Servers;
  readonly prefix: string;
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly producer: Producer;
  readonly encoder: AvroEncoder;
  /** What the processor warned of. */
  readonly warnings: readonly object[];
  send(topic: string, messages: Message[]): Promise<void>;
  start(policy: Policy): Promise<RunningProcessor>;
  /** All committed records of a topic, partition by partition, in the order of offsets. */
  records(topic: string): Promise<readonly KafkaMessage[]>;
  close(): Promise<void>;
}

const quiet = (): void => undefined;

export async function openRig(partitions: number): Promise<Rig> {
  const name = `wire-${randomUUID().slice(0, 8)}`;
  const prefix = `${name}.`;
  const env = {
    ...inject("endpoints"),
    CLIENTELA_APPLICATION_ID: name,
    CLIENTELA_TOPIC_PREFIX: prefix,
    CLIENTELA_HTTP_PORT: "0",
  };
  const servers = serversOf(readSettings(env));
  const warnings: object[] = [];
  const logger: Logger = { debug: quiet, info: quiet, error: quiet, warn: (fields) => warnings.push(fields) };
  await setup({ servers, partitions, replicationFactor: 1, changesRetentionMs: 3_600_000, logger });
  const kafka = kafkaClient(servers, logger);
  const admin = kafka.admin();
  const producer = kafka.producer();
  await Promise.all([admin.connect(), producer.connect()]);
  return {
    env,
    servers,
    prefix,
    kafka,
    admin,
    producer,
    encoder: await createAvroEncoder(registryOf(servers), prefix),
    warnings,
    async send(topic, messages) {
      await producer.send({ topic: prefix + topic, messages });
    },
    start: (policy) =>
      startProcessor({ servers, policy, logger, telemetry: SILENT_TELEMETRY, drainMs: 5_000 }),
    records: (topic) => readAll(kafka, admin, prefix + topic),
    async close() {
      const mine = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
      await admin.deleteTopics({ topics: mine });
      await Promise.all([producer.disconnect(), admin.disconnect()]);
    },
  };
}

/** Reads to where the topic ends now: control records at the tail never come, so silence ends it as well. */
async function readAll(kafka: Kafka, admin: Admin, topic: string): Promise<readonly KafkaMessage[]> {
  const groupId = `wire-reader-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, readUncommitted: false, maxWaitTimeInMs: 100 });
  const seen: { partition: number; message: KafkaMessage }[] = [];
  let silentFetches = 0;
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  consumer.on(consumer.events.FETCH, () => silentFetches++);
  await consumer.run({
    autoCommit: false,
    eachMessage: ({ partition, message }) => {
      seen.push({ partition, message });
      silentFetches = 0;
      return Promise.resolve();
    },
  });
  while (silentFetches < 5) await sleep(50);
  await consumer.disconnect();
  await admin.deleteGroups([groupId]);
  return seen
    .sort((a, b) => a.partition - b.partition || Number(a.message.offset) - Number(b.message.offset))
    .map(({ message }) => message);
}
