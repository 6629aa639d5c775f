import type { KafkaMessage, TopicMessages } from "kafkajs";
import { describe, expect, test } from "vitest";
import type { CommitStrategy } from "../../../src/adapters/kafka/commit-strategy.ts";
import type { LogEnds } from "../../../src/adapters/kafka/log-ends.ts";
import {
  KafkaShardLog,
  type OutputEncoder,
  type ShardConsumer,
} from "../../../src/adapters/kafka/shard-log.ts";
import type { LogIdentity } from "../../../src/pipeline/log-identity.ts";
import type { BatchOutput, Receipt } from "../../../src/pipeline/ports.ts";

const ignore = (): void => undefined;
const NOTHING: BatchOutput = { changes: [], segments: [], referrals: [], deadLetters: [] };
const RECEIPT: Receipt = { seq: 1, clock: null, policy: "", migrating: null, silentBelow: null };

/** Delivers one record and returns it as a dead letter of it would be sent. */
async function deadLetterOf(
  headers: object,
  topics: LogIdentity["topics"] = {},
): Promise<TopicMessages["messages"][number] | undefined> {
  let sent: TopicMessages[] = [];
  const commits: CommitStrategy = {
    fence: () => Promise.resolve(null),
    commit: (records) => ((sent = records), Promise.resolve()),
    close: () => Promise.resolve(),
  };
  const ends = { refresh: () => Promise.resolve(), of: () => null };
  const consumer: ShardConsumer = {
    pause: ignore,
    resume: ignore,
    seek: ignore,
  };
  const log = new KafkaShardLog(0, consumer, commits, ends as unknown as LogEnds, {} as OutputEncoder, {
    identity: { cluster: "", prefix: "", shards: 1, topics },
    maxBufferedRecords: 10,
  });
  await log.seek({});
  const message = {
    key: null,
    value: null,
    timestamp: "0",
    attributes: 0,
    offset: "0",
    headers,
  } as unknown as KafkaMessage;
  log.deliver("orders", { from: 0, next: 1, messages: [message], isAppendTime: true });
  const [record] = log.buffered("orders");
  if (record === undefined) return undefined;
  const deadLetter = { record, reason: "undecodable", message: "it is" } as const;
  await log.commit({ ...NOTHING, deadLetters: [deadLetter] }, { offsets: {}, receipt: RECEIPT });
  return sent[0]?.messages[0];
}

describe("headers of a record that is dead-lettered (A6)", () => {
  test("without a value, which kafkajs can't send on, become empty; they don't stop the shard", async () => {
    const letter = await deadLetterOf({ nothing: null, some: [Buffer.from("a"), null] });
    expect(letter?.headers).toMatchObject({
      nothing: Buffer.alloc(0),
      some: [Buffer.from("a"), Buffer.alloc(0)],
    });
  });

  test("may be called __proto__", async () => {
    const letter = await deadLetterOf(JSON.parse('{"__proto__":"x"}') as object);
    expect(Object.entries(letter?.headers ?? {})[0]).toEqual(["__proto__", Buffer.from("x")]);
  });

  test("say which topic it came from, by the id that a topic of the same name does not have again", async () => {
    const withId = await deadLetterOf({}, { orders: "AAAAAAAAAAAAAAAAAAAAAA", surveys: "B" });
    expect(withId?.headers).toMatchObject({
      clientela_error_topic: "orders",
      clientela_error_offset: "0",
      clientela_error_topic_id: "AAAAAAAAAAAAAAAAAAAAAA",
    });
    expect(Object.keys((await deadLetterOf({}))?.headers ?? {})).not.toContain("clientela_error_topic_id");
  });
});
