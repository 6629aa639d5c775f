import { setTimeout as sleep } from "node:timers/promises";
import type { Admin, Consumer, Kafka, KafkaMessage, Producer } from "kafkajs";
import { inject } from "vitest";
import { createKafkaClient } from "../../src/adapters/kafka/client.ts";
import type { CommitStrategy, Delivery } from "../../src/adapters/kafka/commit-strategy.ts";
import { KafkaOutbox, outboxTopic, type OutboxConsumer } from "../../src/adapters/kafka/kafka-outbox.ts";
import { READ_COMMITTED } from "../../src/adapters/kafka/inner-cluster.ts";
import { LogEnds } from "../../src/adapters/kafka/log-ends.ts";
import { Outbox } from "../../src/adapters/kafka/outbox.ts";
import { OwnCluster } from "../../src/adapters/kafka/own-cluster.ts";
import type { CommittedOffset } from "../../src/adapters/kafka/receipts.ts";
import { KafkaShardLog, packingOf, type OutputEncoder } from "../../src/adapters/kafka/shard-log.ts";
import { ShardProducer } from "../../src/adapters/kafka/shard-producer.ts";
import { DEFAULT_SOURCE, KafkaShardSource } from "../../src/adapters/kafka/shard-source.ts";
import { setupTopics } from "../../src/adapters/kafka/topics.ts";
import { TransactionalCommit } from "../../src/adapters/kafka/transactional-commit.ts";
import { FACT_TOPICS, type FactTopic } from "../../src/domain/events.ts";
import type { ShardLog } from "../../src/pipeline/ports.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import type { LogHarness, SeenOutput } from "./log-suite.ts";
import { changeOf, segmentOf } from "./test-output.ts";

const quiet = (): void => undefined;
const LOGGER = { debug: quiet, info: quiet, warn: quiet };
const OUTPUTS = ["segment-changes", "customer-segments", "segment-dead-letters"] as const;
/** The reader has all that is committed when nothing more came for so long: three idle fetches. */
const SILENCE_MS = 350;

/** The log carries bytes; what they mean is not its business. */
const ENCODER: OutputEncoder = {
  change: ({ changeId }) => Buffer.from(changeId),
  segment: ({ seq }) => Buffer.from(String(seq)),
  event: (referral) => Buffer.from(JSON.stringify(referral)),
  headers: () => ({}),
};

/** One member of one group on topics of its own, and a reader of what is committed on the outputs. */
export interface KafkaRig {
  /** A shard that no test had before. */
  harness(): Promise<LogHarness>;
  close(): Promise<void>;
}

interface Seen {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

export async function startKafkaRig(shards: number, delivery: Delivery): Promise<KafkaRig> {
  const name = `contract-${Date.now().toString(36)}-${process.pid}`;
  const prefix = `${name}.`;
  const brokers = inject("endpoints").KAFKA_BROKERS.split(",");
  const kafka = createKafkaClient({ brokers, clientId: name, ssl: null, sasl: null }, LOGGER);
  const admin = kafka.admin();
  await admin.connect();
  await setupTopics(admin, {
    prefix,
    partitions: shards,
    replicationFactor: 1,
    changesRetentionMs: 3_600_000,
    outboxes: delivery === "at-least-once" ? [outboxTopic(prefix, name)] : [],
  });
  const ends = endsOf(kafka, prefix);
  await untilLed(ends);
  await ends.close();
  const producer = kafka.producer();
  await producer.connect();
  const { consumer, seen } = await readOutputs(kafka, prefix, name);

  const source = new KafkaShardSource(kafka, {
    ...DEFAULT_SOURCE,
    applicationId: name,
    delivery,
    prefix,
    encoder: ENCODER,
    logger: LOGGER,
  });
  const assigned = new Map<number, ShardLog>();
  await source.start({
    assigned: (shard, log) => assigned.set(shard, log),
    revoked: () => Promise.resolve(),
    failed: (error) => {
      throw error;
    },
  });
  while (assigned.size < shards) await sleep(50);

  let next = 0;
  return {
    harness() {
      const shard = next++;
      const first = assigned.get(shard);
      if (first === undefined) throw new Error("the rig has fewer shards than the suite has tests");
      return Promise.resolve(
        harnessOf({ shard, first, kafka, admin, producer, seen, name, prefix, shards, delivery }),
      );
    },
    async close() {
      await source.stop();
      await Promise.all([consumer.disconnect(), producer.disconnect()]);
      await admin.deleteTopics({
        topics: (await admin.listTopics()).filter((topic) => topic.startsWith(prefix)),
      });
      await admin.disconnect();
    },
  };
}

function endsOf(kafka: Kafka, prefix: string): LogEnds {
  return new LogEnds(new OwnCluster(kafka, READ_COMMITTED), prefix, 250, quiet);
}

/** New topics have no leader for a moment after they are there. */
async function untilLed(ends: LogEnds): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    try {
      await ends.refresh();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

async function readOutputs(
  kafka: Kafka,
  prefix: string,
  name: string,
): Promise<{ consumer: Consumer; seen: Seen[] }> {
  const seen: Seen[] = [];
  const consumer = kafka.consumer({
    groupId: `${name}-reader`,
    readUncommitted: false,
    maxWaitTimeInMs: 100,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: OUTPUTS.map((topic) => prefix + topic), fromBeginning: true });
  await consumer.run({
    eachMessage({ topic, partition, message }) {
      const headers = Object.entries(message.headers ?? {}).map(([header, value]) => [header, String(value)]);
      seen.push({
        topic: topic.slice(prefix.length),
        partition,
        key: message.key?.toString() ?? "",
        value: message.value?.toString() ?? null,
        headers: Object.fromEntries(headers) as Record<string, string>,
      });
      return Promise.resolve();
    },
  });
  return { consumer, seen };
}

interface Parts {
  readonly shard: number;
  readonly first: ShardLog;
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly producer: Producer;
  readonly seen: readonly Seen[];
  readonly name: string;
  readonly prefix: string;
  readonly shards: number;
  readonly delivery: Delivery;
}

function harnessOf(parts: Parts): LogHarness {
  const { shard, producer, seen, prefix } = parts;
  const customerId = customerOf(shard, parts.shards);
  let isFirst = true;
  const packing = packingOf(ENCODER, shard);
  return {
    customerId,
    open() {
      if (!isFirst) return Promise.resolve(rivalOf(parts));
      isFirst = false;
      return Promise.resolve(parts.first);
    },
    async append(topic: FactTopic, eventIds: readonly string[]) {
      const messages = eventIds.map((eventId) => ({ key: customerId, value: eventId, partition: shard }));
      await producer.send({ topic: prefix + topic, messages });
    },
    eventIdOf: ({ value }) => Buffer.from(value ?? []).toString(),
    change: (customerId, changeId, seq) => ({
      customerId,
      change: packing.change(changeOf(customerId, changeId, seq)),
    }),
    segment: (customerId, seq) => ({
      customerId,
      segment: packing.segment(segmentOf(customerId, seq)),
    }),
    async output(): Promise<SeenOutput> {
      for (let before = -1; before < seen.length;) {
        before = seen.length;
        await sleep(SILENCE_MS);
      }
      const mine = seen.filter(({ partition }) => partition === shard);
      const of = (topic: string): Seen[] => mine.filter((record) => record.topic === topic);
      return {
        changes: of("segment-changes").map(({ key, value }) => [key, value]),
        segments: of("customer-segments").map(({ key, value }) => [
          key,
          value === null ? null : Number(value),
        ]),
        deadLetters: of("segment-dead-letters").map(({ headers }) => [
          headers["clientela_error_reason"] ?? "",
          headers["clientela_error_message"] ?? "",
        ]),
      };
    },
    close: () => Promise.resolve(),
  };
}

/** Whose records belong into the shard: a log refuses keys that murmur2 puts elsewhere (A3). */
function customerOf(shard: number, shards: number): string {
  for (let i = 0; ; i++) if (partitionOf(Buffer.from(`c${i}`), shards) === shard) return `c${i}`;
}

/** A process that believes it owns the shard although the group gave it to another: it may fence and commit, but gets no records. */
function rivalOf(parts: Parts): ShardLog {
  const { shard, kafka, prefix, shards } = parts;
  const consumer = { pause: quiet, resume: quiet, seek: quiet };
  const ends = endsOf(kafka, prefix);
  return new KafkaShardLog(shard, consumer, commitsOfRival(parts), ends, ENCODER, {
    identity: { cluster: "", prefix, shards, topics: {} },
    maxBufferedRecords: DEFAULT_SOURCE.maxBufferedRecords,
  });
}

function commitsOfRival(parts: Parts): CommitStrategy {
  const { shard, kafka, name, prefix, delivery } = parts;
  const committed = async (): Promise<CommittedOffset[]> => {
    const offsets = await offsetsOf(
      parts,
      FACT_TOPICS.map((topic) => prefix + topic),
    );
    return offsets.map((each) => ({ ...each, topic: each.topic.slice(prefix.length) as FactTopic }));
  };
  if (delivery === "exactly-once") {
    const producer = new ShardProducer(kafka, `${name}-${shard}`, DEFAULT_SOURCE.transactionTimeoutMs);
    return new TransactionalCommit(producer, committed, { groupId: name, prefix, shard });
  }
  const topic = outboxTopic(prefix, name);
  const consumer: OutboxConsumer = {
    committed,
    outboxCommitted: async () => (await offsetsOf(parts, [topic]))[0] ?? null,
    outboxStart: () => endsOf(kafka, prefix).lowOf(topic, shard),
    readOutbox: (_shard, from, through, visit) => readRange(kafka, topic, shard, from, through, visit),
    // Whoever is no member can't commit the group's offsets.
    commitOffsets: () => Promise.reject(new Error("not a member")),
  };
  const port = new KafkaOutbox(kafka, consumer, { groupId: name, prefix, shard, logger: LOGGER });
  return new Outbox(port, shard);
}

async function offsetsOf(
  { admin, name, shard }: Parts,
  topics: readonly string[],
): Promise<{ topic: string; offset: number; metadata: string | null }[]> {
  const answers = await admin.fetchOffsets({ groupId: name, topics: [...topics] });
  return answers.flatMap(({ topic, partitions }) =>
    partitions
      .filter(({ partition }) => partition === shard)
      .map(({ offset, metadata }) => ({ topic, offset: Number(offset), metadata })),
  );
}

let reads = 0;

async function readRange(
  kafka: Kafka,
  topic: string,
  shard: number,
  from: number,
  through: number,
  visit: (offset: number, message: KafkaMessage) => void,
): Promise<void> {
  const consumer = kafka.consumer({ groupId: `${topic}-rival-${reads++}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        autoCommit: false,
        eachMessage: ({ partition, message }) => {
          const offset = Number(message.offset);
          if (partition === shard && offset >= from && offset <= through) visit(offset, message);
          if (partition === shard && offset >= through) resolve();
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
}
