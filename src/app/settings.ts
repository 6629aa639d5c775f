import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { UsageError } from "../pipeline/errors.ts";
import type { ShardOptions } from "../pipeline/options.ts";
import type { Servers } from "./compose-kafka.ts";

/** One setting: an environment variable with its meaning. The table is the help text and the README's table (I6). */
interface Setting<T> {
  readonly env: string;
  /** What is used when the variable is not set or empty; shown as it is. */
  readonly fallback: string;
  /** One sentence. */
  readonly says: string;
  /** Turns the text into a value; throws an Error that says what is allowed. */
  parse(text: string): T;
}

function setting<T>(env: string, fallback: string, says: string, parse: (text: string) => T): Setting<T> {
  return { env, fallback, says, parse };
}

const text = (value: string): string => value;
const optional = (value: string): string | null => (value === "" ? null : value);

function whole(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) {
      throw new Error(`must be a whole number from ${least} to ${most}`);
    }
    return number;
  };
}

function oneOf<const T extends string>(...allowed: readonly T[]): (value: string) => T {
  return (value) => {
    const found = allowed.find((each) => each === value);
    if (found === undefined) throw new Error(`must be ${allowed.join(" or ")}`);
    return found;
  };
}

function name(value: string): string {
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(value))
    throw new Error("must be letters, digits, dots, underscores or hyphens");
  return value;
}

function prefix(value: string): string {
  return value === "" ? value : name(value);
}

/** Every setting, in the order in which help shows them. */
export const SETTINGS = {
  brokers: setting(
    "KAFKA_BROKERS",
    "127.0.0.1:9092",
    "Kafka brokers, host:port, separated by commas.",
    (value) =>
      value.split(",").map((broker) => {
        if (!/^[^\s:]+:\d+$/.test(broker)) throw new Error("must be host:port, separated by commas");
        return broker;
      }),
  ),
  registryUrl: setting(
    "SCHEMA_REGISTRY_URL",
    "http://127.0.0.1:8081",
    "Confluent-compatible schema registry.",
    (value) => {
      if (!URL.canParse(value) || !value.startsWith("http")) throw new Error("must be an http or https URL");
      return value;
    },
  ),
  redisUrl: setting(
    "REDIS_URL",
    "redis://127.0.0.1:6379",
    "Redis, redis:// or rediss://; several nodes of a cluster separated by commas.",
    text,
  ),
  redisCluster: setting(
    "CLIENTELA_REDIS_CLUSTER",
    "no",
    "Whether REDIS_URL names nodes of a Redis Cluster: yes or no.",
    oneOf("yes", "no"),
  ),
  redisWaitReplicas: setting(
    "CLIENTELA_REDIS_WAIT_REPLICAS",
    "0",
    "A commit waits until so many replicas of Redis have it; not needed for safety, shortens what is folded again after a failover.",
    whole(0, 10),
  ),
  redisWaitMs: setting(
    "CLIENTELA_REDIS_WAIT_MS",
    "100",
    "How long a commit waits for replicas at most; then it goes on with fewer, and the log says so.",
    whole(1, 1000),
  ),
  registryUser: setting("CLIENTELA_REGISTRY_USER", "", "User of the schema registry; empty: none.", optional),
  registryPassword: setting("CLIENTELA_REGISTRY_PASSWORD", "", "Password of the schema registry.", text),
  applicationId: setting(
    "CLIENTELA_APPLICATION_ID",
    "clientela",
    "Consumer group, transactional ids and Redis keys; a fresh one replays the topics from their start.",
    name,
  ),
  topicPrefix: setting("CLIENTELA_TOPIC_PREFIX", "", "Put before every topic name and subject.", prefix),
  partitions: setting(
    "CLIENTELA_PARTITIONS",
    "8",
    "Partitions of topics that setup creates: the number of shards.",
    whole(1, 10_000),
  ),
  replicationFactor: setting(
    "CLIENTELA_REPLICATION_FACTOR",
    "1",
    "Replicas of topics that setup creates.",
    whole(1, 100),
  ),
  changesRetentionDays: setting(
    "CLIENTELA_CHANGES_RETENTION_DAYS",
    "30",
    "How long segment-changes are kept, for setup.",
    whole(1, 36_500),
  ),
  policyFile: setting("CLIENTELA_POLICY_FILE", "", "Policy file; empty: the built-in policy.", optional),
  formerPolicyFiles: setting(
    "CLIENTELA_FORMER_POLICY_FILES",
    "",
    "Files of former policies, separated by commas: only when a refusal (POLICY_UNKNOWN) asks for them.",
    (value) => (value === "" ? [] : value.split(",").map((path) => path.trim())),
  ),
  firstStart: setting(
    "CLIENTELA_FIRST_START",
    "publish",
    "A first start on years of data publishes them with origin HISTORY, or is silent and only fills customer-segments: publish or silent.",
    oneOf("publish", "silent"),
  ),
  onStateLoss: setting(
    "CLIENTELA_ON_STATE_LOSS",
    "stop",
    "When Redis has lost its states: stop, or rebuild them from the topics without publishing twice.",
    oneOf("stop", "rebuild"),
  ),
  delivery: setting(
    "CLIENTELA_DELIVERY",
    "exactly-once",
    "exactly-once; or at-least-once, for brokers without transactions: a change may come again, with the same changeId. For setup, too.",
    oneOf("exactly-once", "at-least-once"),
  ),
  commitIntervalMs: setting(
    "CLIENTELA_COMMIT_INTERVAL_MS",
    "100",
    "A shard commits this often while records come in; up to half as often while commits take long.",
    whole(1, 60_000),
  ),
  batchRecords: setting(
    "CLIENTELA_BATCH_RECORDS",
    "32000",
    "A shard that is behind commits at the latest after so many records, or half as many changes.",
    whole(1, 100_000),
  ),
  cacheMiB: setting(
    "CLIENTELA_CACHE_MIB",
    "auto",
    "Memory for decoded customers, in each thread: about 4 KiB a customer and half a KiB a fact; auto: a fifth of the thread's heap, at most 1024.",
    (value) => (value === "auto" ? value : whole(1, 100_000)(value)),
  ),
  threads: setting(
    "CLIENTELA_THREADS",
    "auto",
    "Threads of this process, each a member of the group with shards of its own; auto: one a core, at most 4.",
    (value) => (value === "auto" ? Math.min(4, availableParallelism()) : whole(1, 64)(value)),
  ),
  sessionTimeoutMs: setting(
    "CLIENTELA_SESSION_TIMEOUT_MS",
    "10000",
    "How long a process may be silent before its shards go to others; brokers allow 6000 and more unless configured.",
    whole(1_000, 1_800_000),
  ),
  drainMs: setting(
    "CLIENTELA_DRAIN_MS",
    "10000",
    "How long a stop waits for running commits.",
    whole(0, 600_000),
  ),
  httpHost: setting(
    "CLIENTELA_HTTP_HOST",
    "127.0.0.1",
    "Address that health and metrics are served on.",
    text,
  ),
  httpPort: setting(
    "CLIENTELA_HTTP_PORT",
    "8080",
    "Port for health and metrics; 0: any free one.",
    whole(0, 65_535),
  ),
  logLevel: setting(
    "CLIENTELA_LOG_LEVEL",
    "info",
    "error, warn, info or debug.",
    oneOf("error", "warn", "info", "debug"),
  ),
  kafkaTls: setting(
    "CLIENTELA_KAFKA_TLS",
    "no",
    "Whether brokers are reached by TLS: yes or no.",
    oneOf("yes", "no"),
  ),
  kafkaCaFile: setting(
    "CLIENTELA_KAFKA_CA_FILE",
    "",
    "PEM file of the authority that signed the brokers' certificates.",
    optional,
  ),
  kafkaSasl: setting(
    "CLIENTELA_KAFKA_SASL",
    "none",
    "none, plain, scram-sha-256 or scram-sha-512.",
    oneOf("none", "plain", "scram-sha-256", "scram-sha-512"),
  ),
  kafkaUser: setting("CLIENTELA_KAFKA_USER", "", "User for SASL.", text),
  kafkaPassword: setting("CLIENTELA_KAFKA_PASSWORD", "", "Password for SASL.", text),
} as const;

type Table = typeof SETTINGS;
export type Settings = { readonly [Name in keyof Table]: ReturnType<Table[Name]["parse"]> };

/** Reads all settings. Throws UsageError with one line for each that can't be used, all at once. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(SETTINGS)) {
    const { env: variable, fallback } = each;
    const given = env[variable];
    try {
      values[key] = each.parse(given === undefined || given === "" ? fallback : given);
    } catch (error) {
      problems.push(`${variable}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (problems.length > 0) throw new UsageError("SETTINGS", problems);
  return values as Settings;
}

/** The settings as a Markdown table: the README's. */
export function settingsTable(): string {
  const rows = Object.values(SETTINGS).map(
    ({ env, fallback, says }) => `| \`${env}\` | ${fallback === "" ? "" : `\`${fallback}\``} | ${says} |`,
  );
  return ["| variable | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The settings as help shows them. */
export function settingsHelp(): string {
  return Object.values(SETTINGS)
    .map(({ env, fallback, says }) => `  ${env}${fallback === "" ? "" : ` (${fallback})`}\n      ${says}`)
    .join("\n");
}

export function serversOf(settings: Settings): Servers {
  const { kafkaSasl: mechanism, kafkaUser: username, kafkaPassword: password, kafkaCaFile } = settings;
  return {
    brokers: settings.brokers,
    registryUrl: settings.registryUrl,
    registryAuth:
      settings.registryUser === null
        ? null
        : { username: settings.registryUser, password: settings.registryPassword },
    redisUrl: settings.redisUrl,
    redisCluster: settings.redisCluster === "yes",
    redisWait:
      settings.redisWaitReplicas === 0
        ? null
        : { replicas: settings.redisWaitReplicas, timeoutMs: settings.redisWaitMs },
    applicationId: settings.applicationId,
    topicPrefix: settings.topicPrefix,
    ssl:
      settings.kafkaTls === "no" ? null : kafkaCaFile === null ? true : { ca: [certificates(kafkaCaFile)] },
    sasl: saslOf(mechanism, username, password),
  };
}

export function shardOptionsOf(settings: Settings): Partial<ShardOptions> {
  const { commitIntervalMs, batchRecords, firstStart, onStateLoss } = settings;
  return { commitIntervalMs, batchRecords, firstStart, onStateLoss };
}

function certificates(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError("SETTINGS", [`CLIENTELA_KAFKA_CA_FILE: ${path} can't be read: ${why}`]);
  }
}

function saslOf(mechanism: Settings["kafkaSasl"], username: string, password: string): Servers["sasl"] {
  switch (mechanism) {
    case "none":
      return null;
    case "plain":
      return { mechanism, username, password };
    case "scram-sha-256":
      return { mechanism, username, password };
    case "scram-sha-512":
      return { mechanism, username, password };
  }
}
