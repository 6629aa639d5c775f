import { Cluster, Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { createRedisClient, type RedisEndpoint } from "../../../src/adapters/redis/endpoint.ts";
import { UsageError } from "../../../src/pipeline/errors.ts";

function single(endpoint: RedisEndpoint): Redis {
  const client = createRedisClient(endpoint);
  if (!(client instanceof Redis)) throw new Error("expected a client for a single server");
  return client;
}

describe("redis endpoint", () => {
  test("host, port, database and credentials come from the URL", () => {
    const { options } = single({ url: "redis://me:s%40crt@[::1]:7001/3" });
    expect([options.host, options.port, options.db, options.username, options.password, options.tls]).toEqual(
      ["::1", 7001, 3, "me", "s@crt", undefined],
    );
    expect(single({ url: "redis://h" }).options.port).toBe(6379);
  });

  test("rediss or certificates mean TLS, and what is given beside the URL wins", () => {
    expect(single({ url: "rediss://h" }).options.tls).toEqual({});
    const tls = { ca: "pem" };
    const { options } = single({ url: "redis://a:b@h", tls, username: "c", password: "d" });
    expect([options.tls, options.username, options.password]).toEqual([tls, "c", "d"]);
  });

  test("nothing is ever queued or sent twice", () => {
    const { options } = single({ url: "redis://h", commandTimeoutMs: 123 });
    expect(options).toMatchObject({
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      lazyConnect: true,
      commandTimeout: 123,
      socketTimeout: 123,
    });
    const cluster = createRedisClient({ url: "rediss://u:p@a:1,rediss://b:2", cluster: true });
    if (!(cluster instanceof Cluster)) throw new Error("expected a cluster client");
    expect(cluster.options).toMatchObject({
      enableOfflineQueue: false,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      redisOptions: {
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        username: "u",
        password: "p",
        tls: {},
      },
    });
  });

  test("a server that has become a replica is left for whoever is behind the address now", () => {
    const { reconnectOnError } = single({ url: "redis://h" }).options;
    const leaves = (message: string): unknown => reconnectOnError?.(new Error(message));
    expect(leaves("READONLY You can't write against a read only replica.")).toBe(true);
    expect(
      leaves("ERR Error running script (call to f_8e): @user_script:5: @user_script: 5: -READONLY You"),
    ).toBe(true);
    expect(leaves("WRONGTYPE Operation against a key")).toBe(false);
  });

  test.each(["", "localhost:6379", "http://h", "redis://h/x", "redis://a:1,redis://b:2"])(
    "%j is refused as configuration",
    (url) => {
      expect(() => createRedisClient({ url })).toThrow(UsageError);
    },
  );
});
