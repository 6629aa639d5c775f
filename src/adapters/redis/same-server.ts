import { RetriableError } from "../../pipeline/errors.ts";
import type { RedisConnection } from "./connection.ts";

/** So often a slot may go elsewhere under a reader before it gives up for now. */
const ATTEMPTS = 3;

/**
 * Sees to it that what is read of a shard and the position asked after it (docs/decisions/0006) come from one server. Else a
 * former master that wakes up could answer the first with the past, and the present one the second with what its owner expects.
 */
export class SameServer {
  readonly #redis: Pick<RedisConnection, "routeOf">;
  readonly #readFrom = new Map<string, object>();

  constructor(redis: Pick<RedisConnection, "routeOf">) {
    this.#redis = redis;
  }

  /** `key`: any of the shard. `ask` may be called again. */
  async read<T>(key: string, ask: () => Promise<T>): Promise<T> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const route = await this.#redis.routeOf(key);
      const answer = await ask();
      // A redirection leaves another route behind; so does a failover, before which the answer may have been given.
      if ((await this.#redis.routeOf(key)) !== route) continue;
      this.#readFrom.set(key, route);
      return answer;
    }
    throw new RetriableError(
      "STATE_MOVED",
      "the shard went from server to server faster than it could be read",
    );
  }

  /** As `read`, but of the server that was read from last; @throws RetriableError when the shard is no longer there. */
  async position<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const readFrom = this.#readFrom.get(key);
    this.#readFrom.delete(key);
    const answer = await this.read(key, ask);
    const askedAt = this.#readFrom.get(key);
    this.#readFrom.delete(key);
    if (readFrom !== undefined && readFrom !== askedAt) {
      throw new RetriableError(
        "STATE_MOVED",
        "the shard's server changed while the shard was read: a failover, or its slot was moved",
      );
    }
    return answer;
  }
}
