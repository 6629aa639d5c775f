import type { Cluster } from "ioredis";
import { ClientelaError, RetriableError } from "../../pipeline/errors.ts";
import type { Logger } from "../../pipeline/options.ts";
import {
  createRedisClient,
  DEFAULT_CONNECT_TIMEOUT_MS,
  type RedisClient,
  type RedisEndpoint,
} from "./endpoint.ts";
import { redisError } from "./redis-errors.ts";
import type { Script } from "./script.ts";

export type RedisArgument = string | number | Buffer;

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

  constructor(endpoint: RedisEndpoint, logger: Logger) {
    this.#client = createRedisClient(endpoint);
    this.#connectTimeoutMs = endpoint.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    this.#logger = logger;
    this.#client.on("error", (error: unknown) => {
      this.#lastError = error;
      this.#logger.debug({ error: String(error) }, "redis connection error");
    });
  }

  async command(doing: string, name: string, ...args: RedisArgument[]): Promise<unknown> {
    await this.#ready();
    try {
      return await this.#client.callBuffer(name, args);
    } catch (error) {
      throw redisError(doing, error);
    }
  }

  /** Runs a script by its digest; a Redis that does not know it (restarted, failed over) is given the source. */
  async script(
    doing: string,
    script: Script,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ): Promise<unknown> {
    await this.#ready();
    const rest = [keys.length, ...keys, ...args];
    try {
      return await this.#client.callBuffer("EVALSHA", [script.sha, ...rest]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw redisError(doing, error);
    }
    this.#logger.debug({ script: script.name }, "redis script loaded");
    try {
      return await this.#client.callBuffer("EVAL", [script.source, ...rest]);
    } catch (error) {
      throw redisError(doing, error);
    }
  }

  /** INFO of every server that takes writes: the one, or each master of a cluster. */
  async info(): Promise<{ readonly server: string; readonly text: string }[]> {
    await this.#ready();
    const servers = isCluster(this.#client) ? this.#client.nodes("master") : [this.#client];
    return Promise.all(
      servers.map(async (server) => {
        try {
          const text = await server.info();
          return { server: `${server.options.host ?? ""}:${server.options.port ?? ""}`, text };
        } catch (error) {
          throw redisError("checking the server", error);
        }
      }),
    );
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

  async #ready(): Promise<void> {
    if (this.#client.status === "ready") return;
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = null));
    await this.#connecting;
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

function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster;
}
