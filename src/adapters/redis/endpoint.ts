import type { ConnectionOptions } from "node:tls";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { UsageError } from "../../pipeline/errors.ts";

/** How to reach Redis. */
export interface RedisEndpoint {
  /** `redis://[user:password@]host:port[/db]`, `rediss://` for TLS. Of a cluster some of its nodes; credentials from the first. */
  readonly url: string | readonly string[];
  /** True: Redis Cluster. */
  readonly cluster?: boolean;
  /** In place of those in the URL. */
  readonly username?: string;
  readonly password?: string;
  /** Certificates and the like; implies TLS whatever the URL says. */
  readonly tls?: ConnectionOptions;
  /** A command without an answer for so long counts as lost. Default 10 000. */
  readonly commandTimeoutMs?: number;
  /** A connection that does not come about for so long counts as failed. Default 5000. */
  readonly connectTimeoutMs?: number;
}

export type RedisClient = Redis | Cluster;

export const DEFAULT_COMMAND_TIMEOUT_MS = 10_000;
export const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;

/** A failover that nobody hears of is found by this. ioredis does not look by itself while no node answers with MOVED. */
const SLOTS_REFRESH_MS = 5_000;

/**
 * A client that connects on first use and never sends anything twice: without a connection a command fails at once, one
 * whose connection breaks fails with it, and one without an answer takes its connection along. ioredis would queue and
 * resend; a commit could then arrive after what its sender did next.
 * @throws UsageError when a URL can't be used
 */
export function createRedisClient(endpoint: RedisEndpoint): RedisClient {
  const urls = (typeof endpoint.url === "string" ? endpoint.url.split(",") : endpoint.url).map(parseUrl);
  const [first] = urls;
  if (first === undefined || (urls.length > 1 && endpoint.cluster !== true)) {
    throw new UsageError("REDIS_URL", [
      first === undefined ? "REDIS_URL is empty" : "REDIS_URL names several servers, but no Redis Cluster",
    ]);
  }
  const commandTimeout = endpoint.commandTimeoutMs ?? DEFAULT_COMMAND_TIMEOUT_MS;
  const username = endpoint.username ?? first.username;
  const password = endpoint.password ?? first.password;
  const tls = endpoint.tls ?? (first.isTls ? {} : undefined);
  const common = {
    protocol: 2 as const,
    commandTimeout,
    socketTimeout: commandTimeout,
    connectTimeout: endpoint.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // A master that was demoted keeps its connections: connected anew, its name may lead to its successor. Nothing is sent again.
    reconnectOnError: (error: Error) => error.message.includes("READONLY"),
    connectionName: "clientela",
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  } satisfies RedisOptions;
  if (endpoint.cluster !== true) {
    return new Redis({
      ...common,
      host: first.host,
      port: first.port,
      db: first.db,
      lazyConnect: true,
      enableOfflineQueue: false,
      retryStrategy: (attempt) => Math.min(100 * attempt, 2000),
      // A master that became a replica keeps its connections: behind the same address there may be another master by now.
      reconnectOnError: (error) => error.message.includes("READONLY"),
    });
  }
  return new Cluster(
    urls.map(({ host, port }) => ({ host, port })),
    {
      lazyConnect: true,
      enableOfflineQueue: false,
      // A cluster that does not serve says so to the command, with its reason.
      enableReadyCheck: false,
      slotsRefreshInterval: SLOTS_REFRESH_MS,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      clusterRetryStrategy: (attempt) => Math.min(100 * attempt, 2000),
      redisOptions: common,
    },
  );
}

interface ServerUrl {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username: string;
  readonly password: string;
  readonly isTls: boolean;
}

function parseUrl(text: string): ServerUrl {
  const url = URL.parse(text.trim());
  const db = Number(url?.pathname.slice(1) ?? "");
  const isKnown = url !== null && (url.protocol === "redis:" || url.protocol === "rediss:");
  if (!isKnown || url.hostname === "" || !Number.isInteger(db)) {
    throw new UsageError("REDIS_URL", [
      "REDIS_URL must look like redis://host:6379 (rediss:// for TLS), several of them separated by commas for a cluster",
    ]);
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 6379 : Number(url.port),
    db,
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    isTls: url.protocol === "rediss:",
  };
}
