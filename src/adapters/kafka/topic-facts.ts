import { createRequire } from "node:module";
import type { Kafka } from "kafkajs";
import { FACT_TOPICS, type FactTopic } from "../../domain/events.ts";
import { kafkaFailure } from "./failures.ts";
import type { InnerBroker, InnerCluster } from "./inner-cluster.ts";
import { OwnCluster } from "./own-cluster.ts";
// Before kafkajs's files are asked for one by one.
import "./kafkajs.ts";

/** What a broker says of the fact topics; a topic that is not there is missing. */
export interface TopicFacts {
  /** "" where the broker does not tell. */
  readonly cluster: string;
  readonly partitions: ReadonlyMap<FactTopic, number>;
  /** Kafka's topic ids (KIP-516), as `kafka-topics --describe` shows them. None from brokers older than 2.8. */
  readonly ids: ReadonlyMap<FactTopic, string>;
}

interface Encoder {
  writeBuffer(bytes: Buffer): Encoder;
  writeUVarIntArray(items: readonly Encoder[]): Encoder;
  writeUVarIntString(text: string): Encoder;
  /** Without a value: no tagged fields. */
  writeUVarIntBytes(): Encoder;
  writeBoolean(value: boolean): Encoder;
}

interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readBoolean(): boolean;
  readBytes(length: number): Buffer;
  readUVarIntString(): string | null;
  readUVarIntArray<T>(read: (decoder: Decoder) => T): T[] | null;
  readTaggedFields(): unknown;
}

const require = createRequire(import.meta.url);
const NewEncoder = require("kafkajs/src/protocol/encoder") as new () => Encoder;
const NewDecoder = require("kafkajs/src/protocol/decoder") as new (bytes: Buffer) => Decoder;

const METADATA = 3;
/** The first version that may ask by name and tells topic ids; kafkajs 2.2.4 knows up to 6. */
const VERSION = 12;
const NO_ID = Buffer.alloc(16);

interface TopicAnswer {
  readonly errorCode: number;
  readonly name: string | null;
  readonly id: Buffer;
  readonly partitions: number;
}

interface Answer {
  readonly clusterId: string | null;
  readonly topics: readonly TopicAnswer[];
}

/** Asks brokers, over a connection of its own, for what of the topics kafkajs does not ask for. */
export class TopicFactsReader {
  readonly #cluster: OwnCluster;
  readonly #names: ReadonlyMap<string, FactTopic>;

  constructor(kafka: Kafka, prefix: string) {
    this.#cluster = new OwnCluster(kafka);
    this.#names = new Map(FACT_TOPICS.map((topic) => [prefix + topic, topic]));
  }

  /** Throws RetriableError when no broker answers. */
  async read(): Promise<TopicFacts> {
    const what = "asking for the topics' ids";
    try {
      return await this.#cluster.ask(what, [...this.#names.keys()], (cluster) => this.#ask(cluster));
    } catch (error) {
      throw kafkaFailure(what, error);
    }
  }

  close(): Promise<void> {
    return this.#cluster.close();
  }

  async #ask(cluster: InnerCluster): Promise<TopicFacts> {
    const broker = await cluster.findControllerBroker();
    const spoken = broker.versions?.[METADATA];
    const ask = spoken !== undefined && spoken.maxVersion >= VERSION ? metadata : metadataWithoutIds;
    const { clusterId, topics } = await ask(broker, [...this.#names.keys()]);
    const found = topics.flatMap((topic) => {
      const name = this.#names.get(topic.name ?? "");
      return name === undefined || topic.errorCode !== 0 ? [] : [{ ...topic, name }];
    });
    return {
      cluster: clusterId ?? "",
      partitions: new Map(found.map(({ name, partitions }) => [name, partitions])),
      ids: new Map(
        found.filter(({ id }) => !id.equals(NO_ID)).map(({ name, id }) => [name, id.toString("base64url")]),
      ),
    };
  }
}

async function metadata(broker: InnerBroker, names: readonly string[]): Promise<Answer> {
  const answer = await broker.connectionPool.send({
    request: {
      apiKey: METADATA,
      apiVersion: VERSION,
      apiName: "Metadata",
      encode: () => Promise.resolve(encodeRequest(names)),
    },
    response: {
      decode: (bytes) => Promise.resolve(decodeResponse(bytes)),
      parse: (decoded) => Promise.resolve(decoded),
    },
  });
  return answer as Answer;
}

/** Before 2.8 (KIP-516) there are no topic ids. */
async function metadataWithoutIds(broker: InnerBroker, names: readonly string[]): Promise<Answer> {
  const { clusterId, topicMetadata } = await broker.metadata(names);
  return {
    clusterId,
    topics: topicMetadata.map(({ topicErrorCode, topic, partitionMetadata }) => ({
      errorCode: topicErrorCode,
      name: topic,
      id: NO_ID,
      partitions: partitionMetadata.length,
    })),
  };
}

/** Metadata request 12 (https://kafka.apache.org/protocol#The_Messages_Metadata): header tags, topics, no creation, no rights, tags. */
function encodeRequest(names: readonly string[]): Encoder {
  const topics = names.map((name) =>
    new NewEncoder().writeBuffer(NO_ID).writeUVarIntString(name).writeUVarIntBytes(),
  );
  return new NewEncoder()
    .writeUVarIntBytes()
    .writeUVarIntArray(topics)
    .writeBoolean(false)
    .writeBoolean(false)
    .writeUVarIntBytes();
}

function decodeResponse(bytes: Buffer): Answer {
  const decoder = new NewDecoder(bytes);
  decoder.readTaggedFields();
  decoder.readInt32(); // throttle time
  decoder.readUVarIntArray((broker) => {
    broker.readInt32(); // node
    broker.readUVarIntString(); // host
    broker.readInt32(); // port
    broker.readUVarIntString(); // rack
    broker.readTaggedFields();
  });
  const clusterId = decoder.readUVarIntString();
  decoder.readInt32(); // controller
  const topics = decoder.readUVarIntArray((topic): TopicAnswer => {
    const errorCode = topic.readInt16();
    const name = topic.readUVarIntString();
    const id = Buffer.from(topic.readBytes(NO_ID.length));
    topic.readBoolean(); // internal
    const partitions = topic.readUVarIntArray(skipPartition)?.length ?? 0;
    topic.readInt32(); // rights
    topic.readTaggedFields();
    return { errorCode, name, id, partitions };
  });
  return { clusterId, topics: topics ?? [] };
}

function skipPartition(partition: Decoder): void {
  partition.readInt16(); // error
  partition.readInt32(); // index
  partition.readInt32(); // leader
  partition.readInt32(); // leader epoch
  partition.readUVarIntArray((replica) => replica.readInt32());
  partition.readUVarIntArray((inSync) => inSync.readInt32());
  partition.readUVarIntArray((offline) => offline.readInt32());
  partition.readTaggedFields();
}
