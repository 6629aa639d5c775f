import { createMemoryStateStore } from "../../src/adapters/embedded/memory-state-store.ts";
import { RetriableError } from "../../src/pipeline/errors.ts";
import type { ShardLog, StateStore } from "../../src/pipeline/ports.ts";

/** Decides, at each named point, whether something breaks there. */
export type Adversary = (point: FaultPoint) => boolean;

export const FAULT_POINTS = [
  "before acquire",
  "after acquire",
  "before fence",
  "after fence",
  "before transaction",
  "after transaction",
  "before script",
  "after script",
  "read",
] as const;
export type FaultPoint = (typeof FAULT_POINTS)[number];

function breakAt(adversary: Adversary, point: FaultPoint): void {
  if (adversary(point)) throw new RetriableError("INJECTED", `broken ${point}`);
}

/** A log whose calls break on command: before they do anything, or after they did it and the answer is lost. */
export function faultyLog(log: ShardLog, adversary: Adversary): ShardLog {
  return {
    fence: async () => {
      breakAt(adversary, "before fence");
      const committed = await log.fence();
      breakAt(adversary, "after fence");
      return committed;
    },
    commit: async (output, committed) => {
      breakAt(adversary, "before transaction");
      await log.commit(output, committed);
      breakAt(adversary, "after transaction");
    },
    seek: (offsets) => log.seek(offsets),
    buffered: (topic) => log.buffered(topic),
    take: (topic, count) => log.take(topic, count),
    position: (topic) => log.position(topic),
    caughtUp: (topic, since) => log.caughtUp(topic, since),
    changed: (signal) => log.changed(signal),
    ends: () => log.ends(),
    close: () => log.close(),
  };
}

type Write = (store: StateStore) => Promise<unknown>;

/**
 * A store that can forget: it remembers every write, and `forget` makes it anew from all but the last ones, as a Redis does
 * that lost its last seconds. `forgetAll` leaves nothing.
 */
export class ForgetfulStore {
  #inner = createMemoryStateStore();
  #writes: Write[] = [];

  async forget(last: number): Promise<void> {
    const kept = this.#writes.slice(0, Math.max(0, this.#writes.length - last));
    const inner = createMemoryStateStore();
    for (const write of kept) await write(inner);
    this.#writes = kept;
    this.#inner = inner;
  }

  async forgetAll(): Promise<void> {
    await this.forget(this.#writes.length);
  }

  get inner(): StateStore {
    return this.#inner;
  }

  /** A connection to it that breaks on command. */
  connect(adversary: Adversary): StateStore {
    const recorded = async <T>(write: (store: StateStore) => Promise<T>): Promise<T> => {
      const result = await write(this.#inner);
      this.#writes.push(write);
      return result;
    };
    return {
      acquire: async (shard) => {
        breakAt(adversary, "before acquire");
        const acquired = await recorded((store) => store.acquire(shard));
        breakAt(adversary, "after acquire");
        return acquired;
      },
      commit: async (shard, commit) => {
        breakAt(adversary, "before script");
        const result = await recorded((store) => store.commit(shard, commit));
        breakAt(adversary, "after script");
        return result;
      },
      clear: (shard, epoch) => recorded((store) => store.clear(shard, epoch)),
      read: async (shard, ids) => {
        breakAt(adversary, "read");
        return this.#inner.read(shard, ids);
      },
      position: (shard) => this.#inner.position(shard),
      due: (shard, upTo, limit) => this.#inner.due(shard, upTo, limit),
      nextDue: (shard) => this.#inner.nextDue(shard),
      customers: (shard, after, limit) => this.#inner.customers(shard, after, limit),
      close: () => Promise.resolve(),
    };
  }
}
