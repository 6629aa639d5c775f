import { setTimeout as sleep } from "node:timers/promises";
import type { EachBatchPayload, IHeaders, KafkaMessage } from "kafkajs";
import { decodeChange } from "../../src/adapters/avro/encoder.ts";
import type { SchemaSource } from "../../src/adapters/avro/registry.ts";
import { ownType, parseType } from "../../src/adapters/avro/schemas.ts";
import { withAdmin } from "../../src/app/admin.ts";
import { kafkaClient, registryOf, type Servers } from "../../src/app/compose-kafka.ts";
import type { CustomerSegment } from "../../src/domain/change.ts";
import { INPUT_TOPICS } from "../../src/domain/events.ts";
import { LEDGER_HEADER } from "./ledger.ts";
import type { SeenChange, SeenDeadLetter, SeenInput, SeenSegment, SeenTopics } from "./observed.ts";
import { QUIET } from "./quiet.ts";

const OUTPUTS = ["segment-changes", "customer-segments", "segment-dead-letters"] as const;
/** Fetches that bring nothing, one after the other, say that the rest of the logs is control records. */
const QUIET_FETCHES = 8;
const LIMIT_MS = 120_000;

/** Reads all inputs and outputs to their ends, committed records only, as a group of its own. */
export async function readTopics(servers: Servers): Promise<SeenTopics> {
  const registry = registryOf(servers);
  const segmentType = await readerOfSegments(registry);
  const inputs: SeenInput[] = [];
  const changes: SeenChange[] = [];
  const segments: SeenSegment[] = [];
  const deadLetters: SeenDeadLetter[] = [];
  const prefix = servers.topicPrefix;
  const raw = await readAll(
    servers,
    [...INPUT_TOPICS, ...OUTPUTS].map((topic) => prefix + topic),
  );
  for (const { topic: name, partition, message } of raw) {
    const topic = name.slice(prefix.length);
    const offset = Number(message.offset);
    const customerId = message.key?.toString("utf8") ?? "";
    const appendedAt = Number(message.timestamp);
    switch (topic) {
      case "segment-changes": {
        const change = message.value === null ? null : plain(await decodeChange(registry, message.value));
        changes.push({ partition, offset, customerId, change, appendedAt });
        break;
      }
      case "customer-segments":
        segments.push({
          partition,
          offset,
          customerId,
          segment: message.value === null ? null : plain(await segmentType(message.value)),
        });
        break;
      case "segment-dead-letters":
        deadLetters.push(deadLetterOf(partition, message, prefix));
        break;
      default:
        inputs.push({
          topic,
          partition,
          offset,
          entry: Number(header(message.headers, LEDGER_HEADER) ?? NaN),
          appendedAt,
        });
    }
  }
  return { inputs, changes, segments, deadLetters };
}

/** What avsc reads has prototypes of its own, which a strict comparison would see. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function deadLetterOf(partition: number, message: KafkaMessage, prefix: string): SeenDeadLetter {
  const error = (name: string): string => header(message.headers, `clientela_error_${name}`) ?? "";
  const entry = header(message.headers, LEDGER_HEADER);
  return {
    partition,
    source: {
      topic: error("topic").slice(prefix.length),
      partition: Number(error("partition")),
      offset: Number(error("offset")),
    },
    reason: error("reason"),
    entry: entry === null ? null : Number(entry),
    value: message.value,
  };
}

function header(headers: IHeaders | undefined, name: string): string | null {
  const value = headers?.[name];
  return value === undefined ? null : ((Array.isArray(value) ? value.at(-1) : value)?.toString() ?? null);
}

async function readerOfSegments(
  registry: SchemaSource,
): Promise<(value: Buffer) => Promise<CustomerSegment>> {
  const type = ownType("customer-segments");
  const resolvers = new Map<number, ReturnType<typeof type.createResolver>>();
  return Promise.resolve(async (value: Buffer) => {
    const id = value.readUInt32BE(1);
    let resolver = resolvers.get(id);
    if (resolver === undefined) {
      const text = await registry.schemaById(id);
      if (text === null) throw new Error(`the registry has no schema ${id}`);
      resolvers.set(id, (resolver = type.createResolver(parseType(text))));
    }
    return type.fromBuffer(value.subarray(5), resolver) as CustomerSegment;
  });
}

interface Raw {
  readonly topic: string;
  readonly partition: number;
  readonly message: KafkaMessage;
}

async function readAll(servers: Servers, topics: string[]): Promise<Raw[]> {
  const ends = await endsOf(servers, topics);
  const groupId = `${servers.applicationId}-verifier-${process.pid}-${Date.now()}`;
  const consumer = kafkaClient(servers, QUIET).consumer({
    groupId,
    readUncommitted: false,
    maxWaitTimeInMs: 100,
  });
  const records: Raw[] = [];
  const failures: Error[] = [];
  let quiet = 0;
  consumer.on(consumer.events.FETCH, () => {
    quiet++;
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) failures.push(payload.error);
  });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async (payload: EachBatchPayload) => {
      const { batch } = payload;
      quiet = 0;
      const { topic, partition } = batch;
      for (const message of batch.messages) records.push({ topic, partition, message });
      if (Number(batch.lastOffset()) + 1 >= (ends.get(`${topic}-${partition}`) ?? 0))
        ends.delete(`${topic}-${partition}`);
      await payload.heartbeat();
    },
  });
  const deadline = Date.now() + LIMIT_MS;
  while (ends.size > 0 && quiet < QUIET_FETCHES) {
    if (failures[0] !== undefined) throw failures[0];
    if (Date.now() > deadline) throw new Error("the topics could not be read to their ends in time");
    await sleep(50);
  }
  await consumer.disconnect();
  return records;
}

async function endsOf(servers: Servers, topics: readonly string[]): Promise<Map<string, number>> {
  return withAdmin(servers, QUIET, "asking for the ends of the topics", async (admin) => {
    const ends = new Map<string, number>();
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        if (Number(high) > Number(low)) ends.set(`${topic}-${partition}`, Number(high));
      }
    }
    return ends;
  });
}
