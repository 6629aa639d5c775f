import { createMemoryStateStore } from "../../src/adapters/embedded/memory-state-store.ts";
import { RetriableError } from "../../src/pipeline/errors.ts";
import type { ShardLog, StateStore } from "../../src/pipeline/ports.ts";

/** What may go wrong with one call. The last two happen much later, when others have moved on. */
export type Fault = "fail" | "lose answer" | "stall" | "arrive late";

/** The calls of one owner by what they are to A4. */
export type Call = "acquire" | "fence" | "seek" | "ends" | "transaction" | "script" | "clear" | "read";

/** Decides for each call whether something goes wrong with it; null: nothing. */
export type Adversary = (call: Call) => Fault | null;

export const NO_FAULTS: Adversary = () => null;

/** The calls of one process. It can die: from then on nothing of it gets an answer, though what it sent may still arrive. */
export class Life {
  isDead = false;
  readonly #adversary: Adversary;
  readonly #held: Held;

  constructor(adversary: Adversary, held: Held) {
    this.#adversary = adversary;
    this.#held = held;
  }

  kill(): void {
    this.isDead = true;
  }

  async call<T>(call: Call, act: () => Promise<T>): Promise<T> {
    if (this.isDead) return forever();
    const fault = this.#adversary(call);
    const broken = (): RetriableError => new RetriableError("INJECTED", `${call}: ${String(fault)}`);
    switch (fault) {
      case null: {
        const answer = await act();
        return this.#isAlive() ? answer : forever();
      }
      case "fail":
        throw broken();
      case "lose answer":
        await act();
        throw broken();
      case "stall": {
        const answer = await this.#held.until(act);
        return this.#isAlive() ? answer : forever();
      }
      case "arrive late":
        void this.#held.until(act).catch(() => undefined);
        throw broken();
    }
  }

  #isAlive(): boolean {
    return !this.isDead;
  }
}

/** Calls that were sent and have not arrived. */
export class Held {
  #waiting: (() => void)[] = [];

  async until<T>(act: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return act();
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** Lets one arrive. */
  release(index = 0): void {
    for (const arrive of this.#waiting.splice(index, 1)) arrive();
  }

  releaseAll(): void {
    for (const arrive of this.#waiting.splice(0)) arrive();
  }
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}

/**
 * A log as one process reaches it. Each fence is a producer of its own, as with Kafka: one that arrives late fences everybody,
 * this process too, and gives nothing to it; and what was sent before a fence stays sent by the producer of that time.
 */
export function logThrough(life: Life, open: () => ShardLog): ShardLog {
  let log = open();
  return {
    packing: log.packing,
    fence: async () => {
      const next = open();
      const committed = await life.call("fence", () => next.fence());
      log = next;
      return committed;
    },
    seek: (offsets) => life.call("seek", () => log.seek(offsets)),
    commit: (output, committed) => {
      const sender = log;
      return life.call("transaction", () => sender.commit(output, committed));
    },
    knownEnd: (topic) => log.knownEnd(topic),
    ends: () => life.call("ends", () => log.ends()),
    buffered: (topic) => log.buffered(topic),
    take: (topic, count) => log.take(topic, count),
    position: (topic) => log.position(topic),
    caughtUp: (topic, since) => log.caughtUp(topic, since),
    changed: (signal) => (life.isDead ? forever() : log.changed(signal)),
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

  /** How many writes it remembers. */
  get writes(): number {
    return this.#writes.length;
  }

  async forgetAll(): Promise<void> {
    await this.forget(this.#writes.length);
  }

  get inner(): StateStore {
    return this.#inner;
  }

  /** The store as one process reaches it. */
  through(life: Life): StateStore {
    const recorded = async <T>(write: (store: StateStore) => Promise<T>): Promise<T> => {
      const result = await write(this.#inner);
      this.#writes.push(write);
      return result;
    };
    return {
      peek: (shard) => life.call("read", () => this.#inner.peek(shard)),
      acquire: (shard) => life.call("acquire", () => recorded((store) => store.acquire(shard))),
      commit: (shard, commit) => life.call("script", () => recorded((store) => store.commit(shard, commit))),
      clear: (shard, epoch) => life.call("clear", () => recorded((store) => store.clear(shard, epoch))),
      read: (...asked) => life.call("read", () => this.#inner.read(...asked)),
      position: (shard) => life.call("read", () => this.#inner.position(shard)),
      due: (...asked) => life.call("read", () => this.#inner.due(...asked)),
      nextDue: (shard) => life.call("read", () => this.#inner.nextDue(shard)),
      customers: (...asked) => life.call("read", () => this.#inner.customers(...asked)),
      close: () => Promise.resolve(),
    };
  }
}
