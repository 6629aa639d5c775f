import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin, Consumer, ConsumerGroupState, ISocketFactory, Kafka, Producer } from "kafkajs";
import { inject } from "vitest";
import { createStateCodec } from "../../../src/adapters/avro/state-codec.ts";
import { createSystemClock } from "../../../src/adapters/embedded/clock.ts";
import { createMemoryStateStore } from "../../../src/adapters/embedded/memory-state-store.ts";
import { createKafkaClient } from "../../../src/adapters/kafka/client.ts";
import type { OutputEncoder } from "../../../src/adapters/kafka/shard-log.ts";
import { ShardProducer } from "../../../src/adapters/kafka/shard-producer.ts";
import { DEFAULT_SOURCE, KafkaShardSource } from "../../../src/adapters/kafka/shard-source.ts";
import { setupTopics } from "../../../src/adapters/kafka/topics.ts";
import { policyFromText, policyText } from "../../../src/app/policy-file.ts";
import { acceptEvent } from "../../../src/domain/accept.ts";
import type { CustomerEvent } from "../../../src/domain/events.ts";
import { DEFAULT_SHARD_OPTIONS } from "../../../src/pipeline/options.ts";
import type { Decoder, StateStore } from "../../../src/pipeline/ports.ts";
import { Processor } from "../../../src/pipeline/processor.ts";
import { SILENT_TELEMETRY } from "../../../src/pipeline/telemetry.ts";
import { partitionOf } from "../../../src/shared/murmur2.ts";
import { testPolicy } from "../../policy.ts";

const quiet = (): void => undefined;
export const DRAIN_MS = 5_000;
export const LOGGER = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** The wire is not what is tested here: events and changes travel as JSON. */
const ENCODER: OutputEncoder = {
  change: (change) => Buffer.from(JSON.stringify(change)),
  segment: ({ seq }) => Buffer.from(String(seq)),
  event: (referral) => Buffer.from(JSON.stringify(referral)),
  headers: () => ({}),
};
const DECODER: Decoder = {
  decode: ({ topic, value }) => acceptEvent(topic, JSON.parse(Buffer.from(value ?? []).toString())),
};

export interface Change {
  readonly customerId: string;
  readonly changeId: string;
  readonly seq: number;
  readonly previous: unknown;
  readonly current: unknown;
}

/** Topics of their own on the real broker, a store all members share, and a reader of committed changes. */
export interface KafkaWorld {
  readonly brokers: readonly string[];
  readonly shards: number;
  readonly admin: Admin;
  readonly store: StateStore;
  readonly changes: readonly Change[];
  /** A member of the group; not started. `port`: reaches the brokers through this one. */
  member(port?: number): Processor;
  /** Of the members' group, as the broker has it now. */
  groupState(): Promise<ConsumerGroupState>;
  /** A producer of a shard's transactional id, as a process has that believes the shard to be its own. */
  rival(shard: number): { fence(): Promise<void>; commit(): Promise<void> };
  append(...events: readonly CustomerEvent[]): Promise<void>;
  close(): Promise<void>;
}

export async function startKafkaWorld(name: string, shards: number): Promise<KafkaWorld> {
  const id = `${name}-${Date.now().toString(36)}-${process.pid}`;
  const prefix = `${id}.`;
  const brokers = inject("endpoints").KAFKA_BROKERS.split(",");
  const kafka = createKafkaClient({ brokers, clientId: id, ssl: null, sasl: null }, LOGGER);
  const admin = kafka.admin();
  await admin.connect();
  await setupTopics(admin, {
    prefix,
    partitions: shards,
    replicationFactor: 1,
    changesRetentionMs: 3_600_000,
  });
  const producer = kafka.producer();
  await producer.connect();
  const { consumer, changes } = await readChanges(kafka, `${prefix}segment-changes`, id);
  const store = createMemoryStateStore();
  return {
    brokers,
    shards,
    admin,
    store,
    changes,
    member: (port) =>
      processorOf(port === undefined ? kafka : kafkaThrough(port, brokers, id), id, prefix, store),
    async groupState() {
      const { groups } = await admin.describeGroups([id]);
      return groups[0]?.state ?? "Unknown";
    },
    rival(shard) {
      const rival = new ShardProducer(kafka, `${id}-${shard}`, DEFAULT_SOURCE.transactionTimeoutMs);
      const partitions = [{ partition: shard, offset: "0", metadata: null }];
      const offsets = { groupId: id, topics: [{ topic: `${prefix}orders`, partitions }] };
      return { fence: () => rival.fence(), commit: () => rival.commit(offsets, []) };
    },
    append: (...events) => append(producer, prefix, shards, events),
    async close() {
      await Promise.all([consumer.disconnect(), producer.disconnect()]);
      const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
      await admin.deleteTopics({ topics });
      await admin.disconnect();
    },
  };
}

/** Resolves when something is so; fails after so long. */
export async function until(isSo: () => boolean, what: string, withinMs = 25_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`${what} did not come`);
    await sleep(25);
  }
}

function processorOf(kafka: Kafka, id: string, prefix: string, store: StateStore): Processor {
  const source = new KafkaShardSource(kafka, {
    ...DEFAULT_SOURCE,
    applicationId: id,
    prefix,
    encoder: ENCODER,
    logger: LOGGER,
  });
  return new Processor(
    {
      store,
      codec: createStateCodec(),
      decoder: DECODER,
      clock: createSystemClock(),
      telemetry: SILENT_TELEMETRY,
      logger: LOGGER,
      policy: testPolicy(),
      policies: { text: policyText, parse: policyFromText },
      options: { ...DEFAULT_SHARD_OPTIONS, backoffMs: [50, 500] },
    },
    source,
    DRAIN_MS,
  );
}

/** Brokers name themselves in their answers; this client goes through the port all the same. */
function kafkaThrough(port: number, brokers: readonly string[], clientId: string): Kafka {
  // All brokers are reached through the proxy, whatever they say of themselves.
  const socketFactory: ISocketFactory = ({ onConnect }) => connect({ host: "127.0.0.1", port }, onConnect);
  return createKafkaClient({ brokers, clientId, ssl: null, sasl: null, socketFactory }, LOGGER);
}

async function append(
  producer: Producer,
  prefix: string,
  shards: number,
  events: readonly CustomerEvent[],
): Promise<void> {
  for (const event of events) {
    const message = {
      key: event.customerId,
      value: JSON.stringify(event),
      partition: partitionOf(Buffer.from(event.customerId), shards),
    };
    await producer.send({ topic: prefix + event.topic, messages: [message] });
  }
}

async function readChanges(
  kafka: Kafka,
  topic: string,
  id: string,
): Promise<{ consumer: Consumer; changes: Change[] }> {
  const changes: Change[] = [];
  const consumer = kafka.consumer({ groupId: `${id}-reader`, readUncommitted: false, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachMessage: ({ message }) => {
      changes.push(JSON.parse(String(message.value)) as Change);
      return Promise.resolve();
    },
  });
  return { consumer, changes };
}
