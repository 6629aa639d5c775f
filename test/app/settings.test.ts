import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { markedBlock } from "../../scripts/marked-block.ts";
import { readSettings, serversOf, SETTINGS, settingsHelp, settingsTable } from "../../src/app/settings.ts";
import { UsageError } from "../../src/pipeline/errors.ts";

type Env = Readonly<Record<string, string>>;

function problemsOf(env: Env): readonly string[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    if (error instanceof UsageError) return error.problems;
    throw error;
  }
}

describe("settings (I6)", () => {
  it("have defaults: nothing needs to be set", () => {
    expect(readSettings({})).toMatchObject({
      brokers: ["127.0.0.1:9092"],
      registryUrl: "http://127.0.0.1:8081",
      redisUrl: "redis://127.0.0.1:6379",
      redisCluster: "no",
      redisWaitReplicas: 0,
      redisWaitMs: 100,
      registryUser: null,
      registryPassword: "",
      applicationId: "clientela",
      topicPrefix: "",
      partitions: 8,
      replicationFactor: 1,
      changesRetentionDays: 30,
      policyFile: null,
      formerPolicyFiles: [],
      firstStart: "publish",
      onStateLoss: "stop",
      delivery: "exactly-once",
      commitIntervalMs: 100,
      batchRecords: 32_000,
      cacheMiB: "auto",
      drainMs: 10_000,
      httpHost: "127.0.0.1",
      httpPort: 8080,
      logLevel: "info",
      kafkaTls: "no",
      kafkaCaFile: null,
      kafkaSasl: "none",
      kafkaUser: "",
      kafkaPassword: "",
    });
  });

  it("take an empty variable for one that is not set", () => {
    const empty = Object.fromEntries(Object.values(SETTINGS).map(({ env }) => [env, ""]));
    expect(readSettings(empty)).toEqual(readSettings({}));
  });

  it("ignore variables that are not theirs", () => {
    expect(readSettings({ PATH: "/bin", KAFKA_BROKER: "elsewhere" })).toEqual(readSettings({}));
  });

  it("report all problems at once, each with its variable", () => {
    const env = {
      KAFKA_BROKERS: "broker",
      SCHEMA_REGISTRY_URL: "registry",
      CLIENTELA_PARTITIONS: "0",
      CLIENTELA_FIRST_START: "loud",
    };
    expect(problemsOf(env)).toEqual([
      "KAFKA_BROKERS: must be host:port, separated by commas",
      "SCHEMA_REGISTRY_URL: must be an http or https URL",
      "CLIENTELA_PARTITIONS: must be a whole number from 1 to 10000",
      "CLIENTELA_FIRST_START: must be publish or silent",
    ]);
  });

  it.each<[string, string, keyof ReturnType<typeof readSettings>, unknown]>([
    ["KAFKA_BROKERS", "a:1,b.example:29092", "brokers", ["a:1", "b.example:29092"]],
    [
      "SCHEMA_REGISTRY_URL",
      "https://registry/apis/ccompat/v7",
      "registryUrl",
      "https://registry/apis/ccompat/v7",
    ],
    ["REDIS_URL", "rediss://a:6379,rediss://b:6379", "redisUrl", "rediss://a:6379,rediss://b:6379"],
    ["CLIENTELA_REDIS_CLUSTER", "yes", "redisCluster", "yes"],
    ["CLIENTELA_REDIS_WAIT_REPLICAS", "2", "redisWaitReplicas", 2],
    ["CLIENTELA_REDIS_WAIT_MS", "1000", "redisWaitMs", 1000],
    ["CLIENTELA_REGISTRY_USER", "reader", "registryUser", "reader"],
    ["CLIENTELA_REGISTRY_PASSWORD", "p w", "registryPassword", "p w"],
    ["CLIENTELA_APPLICATION_ID", "shop-2.eu_west", "applicationId", "shop-2.eu_west"],
    ["CLIENTELA_TOPIC_PREFIX", "eu.", "topicPrefix", "eu."],
    ["CLIENTELA_PARTITIONS", "10000", "partitions", 10_000],
    ["CLIENTELA_REPLICATION_FACTOR", "3", "replicationFactor", 3],
    ["CLIENTELA_CHANGES_RETENTION_DAYS", "365", "changesRetentionDays", 365],
    ["CLIENTELA_POLICY_FILE", "policy.json", "policyFile", "policy.json"],
    [
      "CLIENTELA_FORMER_POLICY_FILES",
      "old.json, older.json",
      "formerPolicyFiles",
      ["old.json", "older.json"],
    ],
    ["CLIENTELA_FIRST_START", "silent", "firstStart", "silent"],
    ["CLIENTELA_ON_STATE_LOSS", "rebuild", "onStateLoss", "rebuild"],
    ["CLIENTELA_DELIVERY", "at-least-once", "delivery", "at-least-once"],
    ["CLIENTELA_COMMIT_INTERVAL_MS", "1", "commitIntervalMs", 1],
    ["CLIENTELA_BATCH_RECORDS", "100000", "batchRecords", 100_000],
    ["CLIENTELA_CACHE_MIB", "1", "cacheMiB", 1],
    ["CLIENTELA_DRAIN_MS", "0", "drainMs", 0],
    ["CLIENTELA_HTTP_HOST", "0.0.0.0", "httpHost", "0.0.0.0"],
    ["CLIENTELA_HTTP_PORT", "0", "httpPort", 0],
    ["CLIENTELA_LOG_LEVEL", "debug", "logLevel", "debug"],
    ["CLIENTELA_KAFKA_TLS", "yes", "kafkaTls", "yes"],
    ["CLIENTELA_KAFKA_CA_FILE", "ca.pem", "kafkaCaFile", "ca.pem"],
    ["CLIENTELA_KAFKA_SASL", "scram-sha-512", "kafkaSasl", "scram-sha-512"],
    ["CLIENTELA_KAFKA_USER", "clientela", "kafkaUser", "clientela"],
    ["CLIENTELA_KAFKA_PASSWORD", "secret", "kafkaPassword", "secret"],
  ])("read %s=%s", (env, text, name, value) => {
    expect(readSettings({ [env]: text })[name]).toEqual(value);
  });

  it.each([
    ["KAFKA_BROKERS", "a:1,"],
    ["KAFKA_BROKERS", "a:1, b:2"],
    ["KAFKA_BROKERS", "http://a:1"],
    ["SCHEMA_REGISTRY_URL", "ftp://registry"],
    ["CLIENTELA_REDIS_CLUSTER", "true"],
    ["CLIENTELA_APPLICATION_ID", "my shop"],
    ["CLIENTELA_APPLICATION_ID", "a".repeat(101)],
    ["CLIENTELA_TOPIC_PREFIX", "eu/"],
    ["CLIENTELA_PARTITIONS", "10001"],
    ["CLIENTELA_REPLICATION_FACTOR", "1.5"],
    ["CLIENTELA_CHANGES_RETENTION_DAYS", "-1"],
    ["CLIENTELA_ON_STATE_LOSS", "Rebuild"],
    ["CLIENTELA_DELIVERY", "at-most-once"],
    ["CLIENTELA_DELIVERY", "at-most-once"],
    ["CLIENTELA_COMMIT_INTERVAL_MS", "1e3"],
    ["CLIENTELA_BATCH_RECORDS", "0"],
    ["CLIENTELA_CACHE_MIB", "many"],
    ["CLIENTELA_DRAIN_MS", "600001"],
    ["CLIENTELA_HTTP_PORT", "65536"],
    ["CLIENTELA_LOG_LEVEL", "trace"],
    ["CLIENTELA_KAFKA_TLS", "1"],
    ["CLIENTELA_KAFKA_SASL", "gssapi"],
  ])("refuse %s=%s", (env, text) => {
    const problems = problemsOf({ [env]: text });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${env}: `));
  });

  it("are what the adapters are given", () => {
    const dir = mkdtempSync(join(tmpdir(), "clientela-settings-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const ca = join(dir, "ca.pem");
    writeFileSync(ca, "certificate");
    const plain = serversOf(readSettings({}));
    expect([plain.ssl, plain.sasl, plain.registryAuth, plain.redisCluster]).toEqual([
      null,
      null,
      null,
      false,
    ]);
    const secured = serversOf(
      readSettings({
        CLIENTELA_KAFKA_TLS: "yes",
        CLIENTELA_KAFKA_CA_FILE: ca,
        CLIENTELA_KAFKA_SASL: "scram-sha-256",
        CLIENTELA_KAFKA_USER: "u",
        CLIENTELA_KAFKA_PASSWORD: "p",
        CLIENTELA_REGISTRY_USER: "r",
        CLIENTELA_REGISTRY_PASSWORD: "q",
        CLIENTELA_REDIS_CLUSTER: "yes",
        CLIENTELA_REDIS_WAIT_REPLICAS: "1",
        CLIENTELA_REDIS_WAIT_MS: "250",
      }),
    );
    expect(secured.ssl).toEqual({ ca: ["certificate"] });
    expect(secured.sasl).toEqual({ mechanism: "scram-sha-256", username: "u", password: "p" });
    expect(secured.registryAuth).toEqual({ username: "r", password: "q" });
    expect(secured.redisCluster).toBe(true);
    expect([plain.redisWait, secured.redisWait]).toEqual([null, { replicas: 1, timeoutMs: 250 }]);
    expect(serversOf(readSettings({ CLIENTELA_KAFKA_TLS: "yes" })).ssl).toBe(true);
  });

  it("are one table: help names each with its default and its sentence", () => {
    const help = settingsHelp();
    for (const { env, fallback, says } of Object.values(SETTINGS)) {
      expect(help).toContain(
        fallback === "" ? `  ${env}\n      ${says}` : `  ${env} (${fallback})\n      ${says}`,
      );
    }
  });

  it("stand in the README as the table has them; npm run docs:settings writes them anew", () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    expect(markedBlock(readme, "settings")).toBe(settingsTable());
  });
});
