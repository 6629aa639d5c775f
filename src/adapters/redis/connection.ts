import type { Cluster, Redis } from "ioredis";
import { ClientelaError, RetriableError } from "../../pipeline/errors.ts";
import type { Logger } from "../../pipeline/options.ts";
import {
  createRedisClient,
  DEFAULT_CONNECT_TIMEOUT_MS,
  type RedisClient,
  type RedisEndpoint,
} from "./endpoint.ts";
import { addressOf, masterOfKey, whenUp } from "./cluster-node.ts";
import { redisError } from "./redis-errors.ts";
import { RespWriter } from "./resp-writer.ts";
import type { Script } from "./script.ts";
import { WrittenCommand } from "./written-command.ts";

export type RedisArgument = string | number | Buffer;

/** Very many arguments of one script. */
export interface WrittenArguments {
  readonly count: number;
  /** About how many bytes they take on the wire. */
  readonly bytes: number;
  /** Writes them; may be called again. */
  write(resp: RespWriter): void;
}

const UNKNOWN = {};

export interface ServerInfo {
  /** host:port. */
  readonly server: string;
  readonly text: string;
}

/**
 * Commands and scripts over one client. Replies are raw: Buffers, integers as numbers, arrays, null. Errors are
 * ClientelaErrors (see redisError); `doing` says in them what was going on.
 */
export class RedisConnection {
  readonly #client: RedisClient;
  readonly #connectTimeoutMs: number;
  readonly #logger: Logger;
  #lastError: unknown = null;
  #connecting: Promise<void> | null = null;
  #isClosed = false;
  /** Of a single server: another object with each connection. */
  #connection: object = {};

  constructor(endpoint: RedisEndpoint, logger: Logger) {
    this.#client = createRedisClient(endpoint);
    this.#connectTimeoutMs = endpoint.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    this.#logger = logger;
    const onError = (error: unknown): void => {
      this.#lastError = error;
      this.#logger.debug({ error: String(error) }, "redis connection error");
    };
    // Of a cluster, what a single node said comes under a name of its own.
    this.#client.on("error", onError).on("node error", onError);
    this.#client.on("ready", () => (this.#connection = {}));
  }

  async command(doing: string, name: string, key: string, ...args: RedisArgument[]): Promise<unknown> {
    await this.#ready(key);
    try {
      return await this.#client.callBuffer(name, [key, ...args]);
    } catch (error) {
      throw redisError(doing, error);
    }
  }

  /** Runs a script by its digest; a Redis that does not know it (restarted, failed over) is given the source. */
  async script(
    doing: string,
    script: Script,
    keys: readonly string[],
    args: readonly RedisArgument[] | WrittenArguments,
  ): Promise<unknown> {
    await this.#ready(keys[0]);
    const send = (name: "EVALSHA" | "EVAL", text: string): Promise<unknown> => {
      const head = [text, keys.length, ...keys];
      return isWritten(args)
        ? this.#sendWritten(name, head, args)
        : this.#client.callBuffer(name, [...head, ...args]);
    };
    try {
      return await send("EVALSHA", script.sha);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw redisError(doing, error);
    }
    this.#logger.debug({ script: script.name }, "redis script loaded");
    try {
      return await send("EVAL", script.source);
    } catch (error) {
      throw redisError(doing, error);
    }
  }

  async #sendWritten(
    name: string,
    head: readonly (string | number)[],
    args: WrittenArguments,
  ): Promise<unknown> {
    const resp = new RespWriter(
      args.bytes + head.reduce<number>((sum, part) => sum + 3 * String(part).length + 16, 64),
    );
    resp.begin(1 + head.length + args.count);
    resp.text(name);
    for (const part of head) resp.text(String(part));
    args.write(resp);
    const command = new WrittenCommand(name, [...head], resp.finish());
    try {
      return await this.#client.sendCommand(command);
    } finally {
      command.forget();
    }
  }

  /** The connection that commands for this key go over; null: none is known just now. */
  async serverOf(key: string): Promise<Redis | null> {
    await this.#ready(key);
    return isCluster(this.#client) ? (masterOfKey(this.#client, key) ?? null) : this.#client;
  }

  /**
   * What commands for this key go over now; another object when that is another connection. What two commands were told is of
   * one server if it was the same before the first and after the second.
   */
  async routeOf(key: string): Promise<object> {
    const server = await this.serverOf(key);
    return isCluster(this.#client) ? (server ?? UNKNOWN) : this.#connection;
  }

  /** INFO of every server that takes writes: the one, or each master of a cluster. */
  async info(): Promise<ServerInfo[]> {
    await this.#ready();
    const servers = isCluster(this.#client) ? this.#client.nodes("master") : [this.#client];
    return Promise.all(servers.map(infoOf));
  }

  /** INFO of a cluster's replicas. One that does not answer is left out: it is not needed now. */
  async infoOfReplicas(): Promise<ServerInfo[]> {
    await this.#ready();
    const replicas = isCluster(this.#client) ? this.#client.nodes("slave") : [];
    const answers = await Promise.allSettled(replicas.map(infoOf));
    return answers.flatMap((answer) => {
      if (answer.status === "fulfilled") return [answer.value];
      this.#logger.warn({ error: String(answer.reason) }, "a redis replica could not be checked");
      return [];
    });
  }

  /** Ends the connection after the answers still expected have had a second to come. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#client.status === "ready") {
      const timer = setTimeout(() => this.#client.disconnect(), 1000);
      await this.#client.quit().catch(() => undefined);
      clearTimeout(timer);
    }
    this.#client.disconnect();
  }

  /** `key`: whose server is asked next. */
  async #ready(key?: string): Promise<void> {
    const client = this.#client;
    if (client.status !== "ready") {
      this.#connecting ??= this.#connect().finally(() => (this.#connecting = null));
      await this.#connecting;
    }
    if (key === undefined || !isCluster(client)) return;
    const node = masterOfKey(client, key);
    if (node !== undefined) await whenUp(node, this.#connectTimeoutMs);
  }

  /** Waits for the connection that is being made (again): until it stands, fails, or takes too long. */
  async #connect(): Promise<void> {
    if (this.#isClosed) throw new RetriableError("REDIS_CLOSED", "the connection to Redis has been closed");
    const client = this.#client;
    this.#lastError = null;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const onReady = (): void => resolve(undefined);
    const onEnd = (): void => reject(this.#unreachable("the connection ended"));
    const onError = (error: unknown): void => reject(redisError("connecting", error));
    const onTimeout = (): void =>
      reject(this.#unreachable(`no connection within ${this.#connectTimeoutMs} ms`));
    const timer = setTimeout(onTimeout, this.#connectTimeoutMs);
    client.once("ready", onReady).once("end", onEnd).once("error", onError);
    try {
      if (client.status === "wait" || client.status === "end") {
        client.connect().catch((error: unknown) => reject(redisError("connecting", error)));
      }
      await promise;
    } finally {
      clearTimeout(timer);
      client.off("ready", onReady).off("end", onEnd).off("error", onError);
    }
  }

  #unreachable(why: string): ClientelaError {
    const error = this.#lastError === null ? new Error(why) : this.#lastError;
    const named = redisError("connecting", error);
    return named instanceof ClientelaError
      ? named
      : new RetriableError("REDIS_UNREACHABLE", named.message, error);
  }
}

async function infoOf(server: Redis): Promise<ServerInfo> {
  try {
    return { server: addressOf(server), text: await server.info() };
  } catch (error) {
    throw redisError("checking the server", error);
  }
}

function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster;
}

function isWritten(args: readonly RedisArgument[] | WrittenArguments): args is WrittenArguments {
  return "write" in args;
}
