import type { Broker, ForgetfulStore } from "./servers.ts";
import type { Scheduler } from "./scheduler.ts";

/** A time of which the store will know nothing. */
export interface Eclipse {
  readonly shard: number;
  readonly endsAtStep: number;
  /** Ends already when something has been published. */
  readonly endsWithOutput: boolean;
  /** What the store had, the log had, and how many owners there had been when it began. */
  readonly writes: number;
  readonly transactions: number;
  readonly owners: number;
}

/**
 * Whoever takes a shard over during one will be forgotten by the store, epoch and all, but for what it did in the log; what a
 * former owner has under way arrives then (A4: a state that is astray). Chance alone almost never brings this about.
 */
export class Eclipses {
  readonly #broker: Broker;
  readonly #store: ForgetfulStore;
  #current: Eclipse[] = [];

  constructor(broker: Broker, store: ForgetfulStore) {
    this.#broker = broker;
    this.#store = store;
  }

  begin(shard: number, owners: number, { steps, random }: Scheduler): void {
    this.#current.push({
      shard,
      endsAtStep: steps + random.integer([6, 120]),
      endsWithOutput: random.chance(0.6),
      writes: this.#store.writes(shard),
      transactions: this.#broker.transactions.length,
      owners,
    });
  }

  /** Those that are over by now, once. */
  takeOver(steps: number): readonly Eclipse[] {
    if (this.#current.length === 0) return [];
    const over = this.#current.filter(
      (eclipse) => eclipse.endsAtStep <= steps || (eclipse.endsWithOutput && this.#hasOutput(eclipse)),
    );
    if (over.length > 0) this.#current = this.#current.filter((eclipse) => !over.includes(eclipse));
    return over;
  }

  #hasOutput({ shard, transactions }: Eclipse): boolean {
    return this.#broker.transactions
      .slice(transactions)
      .some((transaction) => transaction.shard === shard && transaction.output.changes.length > 0);
  }
}
