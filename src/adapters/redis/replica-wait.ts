import type { Logger } from "../../pipeline/options.ts";
import { addressOf } from "./cluster-node.ts";
import type { RedisConnection } from "./connection.ts";

export interface WaitOptions {
  /** Replicas that shall have a commit before the next one is sent: 1 or more. */
  readonly replicas: number;
  /** A commit waits for them no longer than this; well below the command time-out, because commits of other shards queue behind it. */
  readonly timeoutMs: number;
}

/** What a wait takes while replicas are known to be away. */
const LOOK_MS = 1;
/** So often one waits for its full time nevertheless: replicas may be back, but further away than a look reaches. */
const FULL_AGAIN_MS = 1000;

/**
 * Redis's WAIT after a commit (docs/decisions/0011). It never fails: the commit stands whether or not replicas have it, and what a
 * failover loses is folded again (A4). Fewer replicas than wanted are told once, and cost little until they are back.
 */
export class ReplicaWait {
  readonly #redis: Pick<RedisConnection, "serverOf">;
  readonly #options: WaitOptions;
  readonly #logger: Logger;
  /** Servers that lack replicas: when one last waited there for the full time. */
  readonly #shortSince = new Map<string, number>();

  constructor(redis: Pick<RedisConnection, "serverOf">, options: WaitOptions, logger: Logger) {
    this.#redis = redis;
    this.#options = options;
    this.#logger = logger;
  }

  /** To be called after a write to `key` over the same connection, which takes nothing else meanwhile. */
  async wait(key: string): Promise<void> {
    const { replicas: wanted, timeoutMs } = this.#options;
    try {
      const node = await this.#redis.serverOf(key);
      if (node === null) return;
      const server = addressOf(node);
      const waitedAt = this.#shortSince.get(server);
      const isLook = waitedAt !== undefined && performance.now() - waitedAt < FULL_AGAIN_MS;
      const found = await node.wait(wanted, isLook ? Math.min(LOOK_MS, timeoutMs) : timeoutMs);
      this.#note(server, found, isLook);
    } catch (error) {
      // The connection broke: whoever sends the next commit over it will hear of that.
      this.#logger.debug({ error: String(error) }, "no answer to a wait for replicas");
    }
  }

  #note(server: string, found: number, isLook: boolean): void {
    const { replicas: wanted, timeoutMs } = this.#options;
    const wasShort = this.#shortSince.has(server);
    if (found >= wanted) {
      this.#shortSince.delete(server);
      if (wasShort) this.#logger.info({ server, replicas: found }, "redis replicas in step again");
      return;
    }
    if (!isLook) this.#shortSince.set(server, performance.now());
    if (!wasShort) {
      this.#logger.warn(
        { server, wanted, found, timeoutMs },
        "fewer redis replicas than wanted have the last commit: a failover now loses more, which is folded again",
      );
    }
  }
}
