import type { Customer } from "../domain/customer.ts";

interface Entry {
  readonly customer: Customer;
  readonly weight: number;
  /** seq of the last batch that touched it: until that one is committed, the store has an older state. */
  touchedBy: number;
  /** It came for a sweep: most of those have been silent for long, and will be. */
  isPassing: boolean;
}

/**
 * Decoded customers of one shard, least recently used out first, valid while the epoch is held. What a batch that is not yet
 * committed has touched is never evicted. The limit counts customers; one with eight orders or more (about 6 KB each eight) counts for several, up to a 16th
 * of the limit, so that a wholesaler read with all its chunks stays while it is busy. Who came for a sweep goes with its batch: a storm of
 * deadlines must not drive those out who are busy, nor fill the heap with states that nobody asks for again.
 */
export class CustomerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #limit: number;
  /** Ids of those that came for a sweep; some may have become others since. */
  #passing: string[] = [];
  #weight = 0;
  hits = 0;
  misses = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(customerId: string): Customer | undefined {
    const entry = this.#entries.get(customerId);
    if (entry === undefined) {
      this.misses++;
      return undefined;
    }
    this.hits++;
    return entry.customer;
  }

  /** Without counting, for those that must be there. */
  peek(customerId: string): Customer | undefined {
    return this.#entries.get(customerId)?.customer;
  }

  add(customer: Customer, touchedBy: number, isPassing = false): void {
    const { customerId, orders } = customer.state;
    const weight = Math.min(1 + (orders.length >> 3), Math.max(1, this.#limit >> 4));
    this.#entries.set(customerId, { customer, weight, touchedBy, isPassing });
    if (isPassing) this.#passing.push(customerId);
    this.#weight += weight;
  }

  /** Somebody else than a sweep has asked for it. */
  keep(customerId: string): void {
    const entry = this.#entries.get(customerId);
    if (entry !== undefined) entry.isPassing = false;
  }

  /** Marks as most recently used and as changed by the batch with this seq. */
  touch(customerId: string, seq: number): void {
    const entry = this.#entries.get(customerId);
    if (entry === undefined) return;
    entry.touchedBy = seq;
    if (this.#weight > this.#limit >> 1) {
      this.#entries.delete(customerId);
      this.#entries.set(customerId, entry);
    }
  }

  /** Puts another in the place of the one with this id. */
  replace(customer: Customer, touchedBy: number): void {
    this.#weight -= this.#entries.get(customer.state.customerId)?.weight ?? 0;
    this.add(customer, touchedBy);
  }

  /** Evicts who came for a sweep, and then down to the limit; `committed`: seq of the last batch that the store is known to contain. */
  trim(committed: number): void {
    if (this.#passing.length > 0) {
      this.#passing = this.#passing.filter((customerId) => !this.#hasPassed(customerId, committed));
    }
    if (this.#weight <= this.#limit) return;
    for (const [customerId, entry] of this.#entries) {
      if (this.#weight <= this.#limit) return;
      if (entry.touchedBy > committed) continue;
      this.#entries.delete(customerId);
      this.#weight -= entry.weight;
    }
  }

  #hasPassed(customerId: string, committed: number): boolean {
    const entry = this.#entries.get(customerId);
    if (entry?.isPassing !== true) return true;
    if (entry.touchedBy > committed) return false;
    this.#entries.delete(customerId);
    this.#weight -= entry.weight;
    return true;
  }

  clear(): void {
    this.#entries.clear();
    this.#passing = [];
    this.#weight = 0;
  }
}
