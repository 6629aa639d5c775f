import type { Message, TopicMessages } from "kafkajs";
import { createAvroEncoder } from "../../adapters/avro/encoder.ts";
import { createUntypedReader } from "../../adapters/avro/untyped-reader.ts";
import { sizeOf } from "../../adapters/kafka/produce-requests.ts";
import { ShardProducer } from "../../adapters/kafka/shard-producer.ts";
import { checkTopics, REDRIVEN_TOPIC } from "../../adapters/kafka/topics.ts";
import { RefusedError, RetriableError } from "../../pipeline/errors.ts";
import { partitionOf } from "../../shared/murmur2.ts";
import { withAdmin } from "../admin.ts";
import { kafkaClient, registryOf } from "../compose-kafka.ts";
import type { DeadLetterRecord } from "./letter.ts";
import { readLetters, readMarks, redrivenAtOf, type ListOptions } from "./list.ts";
import { repaired, unchanged, type Repair, type Repaired, type RepairOutcome } from "./repair.ts";

export interface RedriveOptions extends Omit<ListOptions, "pendingOnly"> {
  /** null: records go back as they were. */
  readonly repair: Repair | null;
  /** Nothing is sent and nobody is fenced; outcomes are told. */
  readonly dryRun: boolean;
  /** Told when it is certain: what is sent is sent. */
  onOutcome(letter: DeadLetterRecord, outcome: RepairOutcome): void;
}

export interface RedriveCounts {
  sent: number;
  left: number;
  failed: number;
  /** Selected, but sent back by an earlier run. */
  before: number;
  /** Asked for by their ids, and not there. */
  missing: readonly string[];
}

/** A transaction takes at most so much: one that is given up is little to do again. */
const TRANSACTION_RECORDS = 100;
const TRANSACTION_BYTES = 512 * 1024;
const TRANSACTION_TIMEOUT_MS = 15_000;

/**
 * Sends dead letters back to where they came from, each once, whatever is killed when: the record and a mark that it was sent
 * are one transaction, and of two that run at once the later one fences the earlier. Throws ClientelaError; what was told as
 * sent until then is sent, and a later run leaves it out.
 */
export async function redrive(options: RedriveOptions): Promise<RedriveCounts> {
  const { servers, logger, repair, dryRun } = options;
  const partitions = await partitionsOf(options);
  const registry = registryOf(servers);
  const encoder = repair === null ? null : await createAvroEncoder(registry, servers.topicPrefix);
  const read = createUntypedReader(registry);
  const judge = (letter: DeadLetterRecord): RepairOutcome | Promise<RepairOutcome> =>
    repair === null || encoder === null ? unchanged(letter) : repaired(letter, repair, read, encoder);

  // The id stands for the topic of marks, not for an application: all that write marks must fence one another.
  const id = servers.topicPrefix + REDRIVEN_TOPIC;
  const producer = new ShardProducer(kafkaClient(servers, logger), id, TRANSACTION_TIMEOUT_MS);
  const counts: RedriveCounts = { sent: 0, left: 0, failed: 0, before: 0, missing: [] };
  try {
    // Only after the fence are the marks all there are: a former run can add none.
    if (!dryRun) await producer.fence();
    const marks = await readMarks(options);
    let parcel = new Parcel();
    const send = async (): Promise<void> => {
      if (!dryRun) await producer.commit(null, parcel.messages(servers.topicPrefix, partitions));
      for (const { letter, record } of parcel.contents) options.onOutcome(letter, { kind: "send", record });
      counts.sent += parcel.contents.length;
      parcel = new Parcel();
    };
    const missing = new Set(options.selection.records);
    let selected = 0;
    for await (const letter of readLetters(options)) {
      missing.delete(letter.id);
      if (redrivenAtOf(letter, marks) !== null) {
        counts.before++;
        continue;
      }
      if (selected++ >= options.limit) break;
      const outcome = await judge(letter);
      if (outcome.kind === "send") {
        parcel.add(letter, outcome.record);
        if (parcel.isFull) await send();
        continue;
      }
      counts[outcome.kind === "leave" ? "left" : "failed"]++;
      options.onOutcome(letter, outcome);
    }
    if (parcel.contents.length > 0) await send();
    return { ...counts, missing: options.signal.aborted ? [] : [...missing] };
  } catch (error) {
    if (!(error instanceof RetriableError && error.code === "FENCED")) throw error;
    throw new RetriableError("FENCED", "another redrive has begun, and goes on with the rest", error);
  } finally {
    await producer.discard();
  }
}

/** Letters that are sent together. */
class Parcel {
  readonly contents: { readonly letter: DeadLetterRecord; readonly record: Repaired }[] = [];
  #bytes = 0;

  add(letter: DeadLetterRecord, record: Repaired): void {
    this.contents.push({ letter, record });
    this.#bytes += sizeOf(record);
  }

  get isFull(): boolean {
    return this.contents.length >= TRANSACTION_RECORDS || this.#bytes >= TRANSACTION_BYTES;
  }

  /** The records, and a mark for each. */
  messages(prefix: string, { inputs, marks }: Partitions): TopicMessages[] {
    const byTopic = new Map<string, Message[]>();
    const add = (topic: string, message: Message): void => {
      const messages = byTopic.get(topic);
      if (messages === undefined) byTopic.set(topic, [message]);
      else messages.push(message);
    };
    const at = new Date().toISOString();
    for (const { letter, record } of this.contents) {
      const { topic, key, value } = record;
      const headers = Object.assign(Object.create(null) as NonNullable<Message["headers"]>, record.headers);
      headers["clientela_redriven_from"] = letter.id;
      const partition = key === null ? letter.source.partition % inputs : partitionOf(key, inputs);
      add(prefix + topic, { key, value, headers, partition });
      const mark = Buffer.from(letter.identity, "utf8");
      add(prefix + REDRIVEN_TOPIC, {
        key: mark,
        value: JSON.stringify({ at, topic: prefix + topic, partition }),
        partition: partitionOf(mark, marks),
      });
    }
    return Array.from(byTopic, ([topic, messages]) => ({ topic, messages }));
  }
}

interface Partitions {
  readonly inputs: number;
  readonly marks: number;
}

async function partitionsOf({ servers, logger }: RedriveOptions): Promise<Partitions> {
  return withAdmin(servers, logger, "asking for topics", async (admin) => {
    const inputs = await checkTopics(admin, servers.topicPrefix);
    const name = servers.topicPrefix + REDRIVEN_TOPIC;
    if (!(await admin.listTopics()).includes(name)) {
      throw new RefusedError("TOPICS_MISSING", `topic ${name} is missing. Run 'clientela setup'`);
    }
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    return { inputs, marks: topics[0]?.partitions.length ?? 1 };
  });
}
