import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { FACT_TOPICS, INPUT_TOPICS } from "../../domain/events.ts";
import { RefusedError, RetriableError } from "../../pipeline/errors.ts";
import { kafkaFailure } from "./failures.ts";
import kafkajs from "./kafkajs.ts";

/** Topics that clientela writes, by logical name (A6). */
export const OUTPUT_TOPICS = ["segment-changes", "customer-segments", "segment-dead-letters"] as const;
/** Which dead letters were sent back, by where they came from: a mark for each, in the transaction that sent it. */
export const REDRIVEN_TOPIC = "segment-dead-letters-redriven";
export type OutputTopic = (typeof OUTPUT_TOPICS)[number] | typeof REDRIVEN_TOPIC;

export interface TopicSettings {
  readonly prefix: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly changesRetentionMs: number;
  /** Whole names of outbox topics, for applications that deliver at least once. */
  readonly outboxes?: readonly string[];
}

/** What setup found or did about one topic. */
export interface TopicFinding {
  readonly topic: string;
  readonly state: "created" | "ok" | "differs";
  /** One for each setting that differs: what is, what should be. */
  readonly differences: readonly string[];
}

const FOREVER = { "retention.ms": "-1", "retention.bytes": "-1" };

/** By whole name. */
function configsOf({
  prefix,
  changesRetentionMs,
  outboxes = [],
}: TopicSettings): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const history = { ...FOREVER, "cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime" };
  const logical = {
    ...Object.fromEntries(FACT_TOPICS.map((topic) => [topic, history])),
    "segment-changes": { "cleanup.policy": "delete", "retention.ms": String(changesRetentionMs) },
    "customer-segments": { "cleanup.policy": "compact" },
    // Whatever was accepted on an input must fit, with its error headers.
    "segment-dead-letters": { ...FOREVER, "cleanup.policy": "delete", "max.message.bytes": "16777216" },
    [REDRIVEN_TOPIC]: { "cleanup.policy": "compact" },
  };
  return {
    ...Object.fromEntries(Object.entries(logical).map(([topic, config]) => [prefix + topic, config])),
    ...Object.fromEntries(outboxes.map((topic) => [topic, OUTBOX])),
  };
}

/** What was published is of no use any more; dead letters pass through, with headers of the outbox's besides. */
const OUTBOX = {
  "cleanup.policy": "delete",
  "retention.ms": String(7 * 86_400_000),
  "max.message.bytes": "16842752",
};

/** Creates the topics that are missing and says what differs in those that are there (A6). Changes nothing that exists. */
export async function setupTopics(admin: Admin, settings: TopicSettings): Promise<TopicFinding[]> {
  const configs = configsOf(settings);
  const existing = new Set(await admin.listTopics());
  const names = Object.keys(configs);
  const missing = names.filter((name) => !existing.has(name));
  if (missing.length > 0) {
    await admin.createTopics({
      // kafkajs waits only as long as brokers know the topic already; they may not, right after it was created.
      waitForLeaders: false,
      topics: missing.map((topic) => ({
        topic,
        numPartitions: settings.partitions,
        replicationFactor: settings.replicationFactor,
        configEntries: Object.entries(configs[topic] ?? {}).map(([name, value]) => ({ name, value })),
      })),
    });
    await untilLed(admin, missing);
  }
  const findings: TopicFinding[] = [];
  for (const name of names) {
    if (missing.includes(name)) {
      findings.push({ topic: name, state: "created", differences: [] });
      continue;
    }
    const differences = await differencesOf(admin, name, configs[name] ?? {}, settings.partitions);
    findings.push({ topic: name, state: differences.length === 0 ? "ok" : "differs", differences });
  }
  return findings;
}

const LEADERS_MS = 30_000;
const LEADERS_POLL_MS = 100;

/** Waits until every partition of new topics has a leader, and its broker knows that it is one. */
async function untilLed(admin: Admin, names: string[]): Promise<void> {
  const deadline = Date.now() + LEADERS_MS;
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: names });
      const partitions = topics.flatMap((topic) => topic.partitions);
      if (topics.length === names.length && partitions.every(({ leader }) => leader >= 0)) {
        for (const name of names) await admin.fetchTopicOffsets(name);
        return;
      }
    } catch (error) {
      if (Date.now() > deadline) throw kafkaFailure("waiting for the new topics' leaders", error);
    }
    if (Date.now() > deadline) {
      throw new RetriableError("NO_LEADERS", `new topics have no leaders after ${LEADERS_MS / 1000} s`);
    }
    await sleep(LEADERS_POLL_MS);
  }
}

async function differencesOf(
  admin: Admin,
  topic: string,
  wanted: Readonly<Record<string, string>>,
  partitions: number,
): Promise<string[]> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: Object.keys(wanted) }],
  });
  const found = new Map(
    resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]),
  );
  const differences = Object.entries(wanted)
    .filter(([name, value]) => found.get(name) !== value)
    .map(([name, value]) => `${name} is ${String(found.get(name))}, should be ${value}`);
  const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
  const count = metadata.topics[0]?.partitions.length ?? 0;
  if (count !== partitions) differences.push(`partitions are ${count}, should be ${partitions}`);
  return differences;
}

/**
 * Checks what the processor relies on (A3): all fact topics are there with one partition count, the outputs are there and have
 * a partition for each shard, because shard p writes to partition p.
 * @returns the number of shards
 */
export async function checkTopics(admin: Admin, prefix: string): Promise<number> {
  const existing = new Set(await admin.listTopics());
  const names = [...FACT_TOPICS, ...OUTPUT_TOPICS].map((topic) => prefix + topic);
  const missing = names.filter((name) => !existing.has(name));
  if (missing.length > 0) {
    throw new RefusedError(
      "TOPICS_MISSING",
      `topics are missing: ${missing.join(", ")}. Run 'clientela setup'`,
    );
  }
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const counts = new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
  const countOf = (topic: string): number => counts.get(prefix + topic) ?? 0;
  const listed = (some: readonly string[]): string =>
    some.map((topic) => `${prefix}${topic} has ${countOf(topic)}`).join(", ");
  const shards = countOf(FACT_TOPICS[0]);
  if (FACT_TOPICS.some((topic) => countOf(topic) !== shards)) {
    throw new RefusedError(
      "PARTITIONS_DIFFER",
      `all inputs need the same number of partitions, because a customer's facts must meet in one: ${listed(FACT_TOPICS)}. ` +
        "Copy those that differ into new topics with the same number (adding partitions to a topic that holds records moves its customers)",
    );
  }
  const small = OUTPUT_TOPICS.filter((topic) => countOf(topic) < shards);
  if (small.length > 0) {
    throw new RefusedError(
      "OUTPUT_PARTITIONS",
      `outputs need at least the ${shards} partitions that the inputs have, because shard p writes to partition p: ${listed(small)}. ` +
        "Delete them and run 'clientela setup', or add partitions",
    );
  }
  return shards;
}

/** Checks that the outbox of an application that delivers at least once is there, with a partition for each shard. */
export async function checkOutbox(admin: Admin, topic: string, shards: number): Promise<void> {
  if (!(await admin.listTopics()).includes(topic)) {
    throw new RefusedError(
      "TOPICS_MISSING",
      `topic ${topic} is missing. Run 'clientela setup' with CLIENTELA_DELIVERY=at-least-once`,
    );
  }
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const count = topics[0]?.partitions.length ?? 0;
  if (count !== shards) {
    throw new RefusedError(
      "OUTPUT_PARTITIONS",
      `${topic} has ${count} partitions, the inputs have ${shards}: a shard has a partition of each. Delete it and run 'clientela setup'`,
    );
  }
}

/** Error headers of a dead letter and its framing take at most so much. */
const DEAD_LETTER_HEADROOM_BYTES = 16_384;

/**
 * Checks that whatever an input accepts fits into the dead-letter topic with its error headers: a record that could not be
 * dead-lettered would hold its shard for ever (A4). The same of outboxes, which they pass. Says nothing where the configuration may
 * not be read.
 */
export async function checkRecordSizes(
  admin: Admin,
  prefix: string,
  outboxes: readonly string[] = [],
): Promise<void> {
  const inputs = inputTopicNames(prefix);
  const ways = [`${prefix}segment-dead-letters`, ...outboxes];
  const sizes = await recordSizes(admin, [...inputs, ...ways]);
  for (const way of ways) {
    const most = sizes.get(way);
    if (most === undefined) continue;
    for (const topic of inputs) {
      const bytes = sizes.get(topic) ?? 0;
      if (bytes + DEAD_LETTER_HEADROOM_BYTES <= most) continue;
      throw new RefusedError(
        "DEAD_LETTERS_TOO_SMALL",
        `${topic} takes records of ${bytes} bytes (max.message.bytes), ${way} only of ${most}: one that has to be refused would not fit. ` +
          `Set max.message.bytes of ${way} to ${bytes + DEAD_LETTER_HEADROOM_BYTES} or more`,
      );
    }
  }
}

async function recordSizes(admin: Admin, topics: readonly string[]): Promise<Map<string, number>> {
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: topics.map((name) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name,
        configNames: ["max.message.bytes"],
      })),
    });
    return new Map(
      resources.flatMap(({ resourceName, configEntries }) =>
        configEntries.map(({ configValue }) => [resourceName, Number(configValue)] as const),
      ),
    );
  } catch {
    // Reading configurations is a right of its own (DESCRIBE_CONFIGS), which the processor needs for nothing else.
    return new Map();
  }
}

/** The S2 topics with the prefix, for `produce`. */
export function inputTopicNames(prefix: string): string[] {
  return INPUT_TOPICS.map((topic) => prefix + topic);
}
