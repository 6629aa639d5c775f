import type { Admin } from "kafkajs";
import { FACT_TOPICS, INPUT_TOPICS } from "../../domain/events.ts";
import { RefusedError } from "../../pipeline/errors.ts";
import kafkajs from "./kafkajs.ts";

/** Topics that clientela writes, by logical name (A6). */
export const OUTPUT_TOPICS = ["segment-changes", "customer-segments", "segment-dead-letters"] as const;
export type OutputTopic = (typeof OUTPUT_TOPICS)[number];

export interface TopicSettings {
  readonly prefix: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly changesRetentionMs: number;
}

/** What setup found or did about one topic. */
export interface TopicFinding {
  readonly topic: string;
  readonly state: "created" | "ok" | "differs";
  /** One for each setting that differs: what is, what should be. */
  readonly differences: readonly string[];
}

const FOREVER = { "retention.ms": "-1", "retention.bytes": "-1" };

function configsOf({
  changesRetentionMs,
}: TopicSettings): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const history = { ...FOREVER, "cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime" };
  return {
    ...Object.fromEntries(FACT_TOPICS.map((topic) => [topic, history])),
    "segment-changes": { "cleanup.policy": "delete", "retention.ms": String(changesRetentionMs) },
    "customer-segments": { "cleanup.policy": "compact" },
    // Whatever was accepted on an input must fit, with its error headers.
    "segment-dead-letters": { ...FOREVER, "cleanup.policy": "delete", "max.message.bytes": "16777216" },
  };
}

/** Creates the topics that are missing and says what differs in those that are there (A6). Changes nothing that exists. */
export async function setupTopics(admin: Admin, settings: TopicSettings): Promise<TopicFinding[]> {
  const configs = configsOf(settings);
  const existing = new Set(await admin.listTopics());
  const names = Object.keys(configs);
  const missing = names.filter((topic) => !existing.has(settings.prefix + topic));
  if (missing.length > 0) {
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map((topic) => ({
        topic: settings.prefix + topic,
        numPartitions: settings.partitions,
        replicationFactor: settings.replicationFactor,
        configEntries: Object.entries(configs[topic] ?? {}).map(([name, value]) => ({ name, value })),
      })),
    });
  }
  const findings: TopicFinding[] = [];
  for (const topic of names) {
    const name = settings.prefix + topic;
    if (missing.includes(topic)) {
      findings.push({ topic: name, state: "created", differences: [] });
      continue;
    }
    const differences = await differencesOf(admin, name, configs[topic] ?? {}, settings.partitions);
    findings.push({ topic: name, state: differences.length === 0 ? "ok" : "differs", differences });
  }
  return findings;
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
 * Checks what the processor relies on (A3): all fact topics are there with one partition count, the outputs are there.
 * @returns the number of shards
 */
export async function checkTopics(admin: Admin, prefix: string): Promise<number> {
  const existing = new Set(await admin.listTopics());
  const missing = [...FACT_TOPICS, ...OUTPUT_TOPICS].filter((topic) => !existing.has(prefix + topic));
  if (missing.length > 0) {
    throw new RefusedError(
      "TOPICS_MISSING",
      `topics are missing: ${missing.map((topic) => prefix + topic).join(", ")}. Run 'clientela setup'`,
    );
  }
  const { topics } = await admin.fetchTopicMetadata({ topics: FACT_TOPICS.map((topic) => prefix + topic) });
  const counts = new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
  const distinct = new Set(counts.values());
  if (distinct.size > 1) {
    const list = [...counts].map(([name, count]) => `${name} has ${count}`).join(", ");
    throw new RefusedError(
      "PARTITIONS_DIFFER",
      `all inputs need the same number of partitions, because a customer's facts must meet in one: ${list}`,
    );
  }
  return [...distinct][0] ?? 0;
}

/** The S2 topics with the prefix, for `produce`. */
export function inputTopicNames(prefix: string): string[] {
  return INPUT_TOPICS.map((topic) => prefix + topic);
}
