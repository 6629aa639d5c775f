import type { RedisStateStore } from "../../../src/adapters/redis/state-store.ts";
import { ClientelaError, RetriableError } from "../../../src/pipeline/errors.ts";
import type { CustomerWrite, StateCommit, StateCommitResult } from "../../../src/pipeline/ports.ts";
import { instant } from "../../../src/shared/instant.ts";

/** A commit of these customers, whose heads and deadlines are its seq. */
export function commitOf(epoch: number, seq: number, ...customerIds: string[]): StateCommit {
  const writes = customerIds.map((customerId): CustomerWrite => ({
    customerId,
    head: Buffer.from([0, 0, seq]),
    chunks: [],
    deadlineAt: instant(seq),
  }));
  const marks = {
    seq,
    offsets: { orders: seq },
    clock: null,
    published: 0,
    policy: "p",
    migrating: null,
    silentBelow: null,
  };
  return { epoch, expectedSeq: seq - 1, writes, marks, policyText: null };
}

/** Asks again, as a shard does, while the trouble is one that passes. Any other error fails the test. */
export async function untilDone<T>(
  attempt: () => Promise<T>,
  limitMs = 15_000,
): Promise<{ value: T; troubles: string[] }> {
  const deadline = Date.now() + limitMs;
  const troubles: string[] = [];
  for (;;) {
    try {
      return { value: await attempt(), troubles };
    } catch (error) {
      if (!(error instanceof RetriableError) || Date.now() > deadline) throw error;
      troubles.push(`${error.code}: ${error.message}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** One shard's owner that commits a customer a batch as fast as it can, and acquires again after trouble (A4). */
export class Owner {
  readonly store: RedisStateStore;
  readonly shard: number;
  readonly applied: number[] = [];
  readonly troubles: string[] = [];
  #stop = false;
  readonly #ended: Promise<void>;

  constructor(store: RedisStateStore, shard: number) {
    this.store = store;
    this.shard = shard;
    this.#ended = this.#work();
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await this.#ended;
  }

  #isStopping(): boolean {
    return this.#stop;
  }

  async #work(): Promise<void> {
    while (!this.#isStopping()) {
      try {
        const { epoch, marks } = await this.store.acquire(this.shard);
        for (let seq = (marks?.seq ?? 0) + 1; !this.#isStopping(); seq++) {
          const found: StateCommitResult = await this.store.commit(
            this.shard,
            commitOf(epoch, seq, `c${seq}`),
          );
          if (found.kind !== "applied") throw new RetriableError("STATE_MOVED", found.kind);
          this.applied.push(seq);
        }
      } catch (error) {
        if (!(error instanceof ClientelaError) || !error.retriable) throw error;
        this.troubles.push(`${error.code}: ${error.message}`);
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    }
  }
}
