import { describe, expect, test } from "vitest";
import { checkServer, refuseEviction } from "../../../src/adapters/redis/server-check.ts";
import { ClientelaError, RefusedError, RetriableError } from "../../../src/pipeline/errors.ts";

function info(change: Record<string, string> = {}): string {
  const fields = {
    redis_version: "7.0.15",
    loading: "0",
    maxmemory_policy: "noeviction",
    role: "master",
    cluster_enabled: "0",
    ...change,
  };
  return `# Server\r\n${Object.entries(fields)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join("")}`;
}

function verdict(text: string, expectsCluster = false): ClientelaError | null {
  try {
    checkServer("redis.example:6379", text, expectsCluster);
    return null;
  } catch (error) {
    return error as ClientelaError;
  }
}

describe("server check (A7)", () => {
  test("a master from 6.2 on that evicts nothing is accepted", () => {
    for (const version of ["6.2.0", "6.2.11", "7.0.15", "8.2.1", "10.0.0"]) {
      expect(verdict(info({ redis_version: version }))).toBeNull();
    }
  });

  test.each([
    ["REDIS_EVICTS", { maxmemory_policy: "allkeys-lru" }, "allkeys-lru"],
    ["REDIS_EVICTS", { maxmemory_policy: "volatile-ttl" }, "Set maxmemory-policy noeviction"],
    ["REDIS_REPLICA", { role: "slave", master_host: "primary.example" }, "primary.example"],
    ["REDIS_TOO_OLD", { redis_version: "6.0.16" }, "6.0.16"],
    ["REDIS_TOO_OLD", { redis_version: "5.9.9" }, "6.2 or newer"],
    ["REDIS_CLUSTER", { cluster_enabled: "1" }, "Say that it is a cluster"],
  ])("%s: refused for %o, saying what was found", (code, change, said) => {
    const error = verdict(info(change));
    expect(error).toBeInstanceOf(RefusedError);
    expect(error?.code).toBe(code);
    expect(error?.message).toContain(said);
    expect(error?.message).toContain("redis.example:6379");
  });

  test("a single server is refused where a cluster is expected", () => {
    expect(verdict(info(), true)?.code).toBe("REDIS_CLUSTER");
    expect(verdict(info({ cluster_enabled: "1" }), true)).toBeNull();
  });

  test("a node of a cluster that was a master a moment ago is worth waiting for", () => {
    expect(verdict(info({ cluster_enabled: "1", role: "slave" }), true)).toBeInstanceOf(RetriableError);
  });

  test("a replica is refused only if it would evict once it takes over", () => {
    expect(() => refuseEviction("r:1", info({ role: "slave" }))).not.toThrow();
    expect(() => refuseEviction("r:1", info({ maxmemory_policy: "allkeys-lfu" }))).toThrow(
      /r:1 .*allkeys-lfu/,
    );
  });

  test("an answer that is no INFO is refused", () => {
    expect(verdict("hello")).toBeInstanceOf(RefusedError);
  });

  test("a server that loads its data is worth waiting for", () => {
    expect(verdict(info({ loading: "1" }))).toBeInstanceOf(RetriableError);
  });
});
