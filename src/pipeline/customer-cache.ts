import type { Customer } from "../domain/customer.ts";

interface Entry {
  readonly customer: Customer;
  readonly weight: number;
  /** seq of the last batch that touched it: until that one is committed, the store has an older state. */
  touchedBy: number;
}

/**
 * Decoded customers of one shard, least recently used out first, valid while the epoch is held. What a batch that is not yet
 * committed has touched is never evicted. The limit counts customers; one with eight orders or more (about 6 KB each eight) counts for several, up to a 16th
 * of the limit, so that a wholesaler read with all its chunks stays while it is busy.
 */
export class CustomerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #limit: number;
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

  add(customer: Customer, touchedBy: number): void {
    const weight = Math.min(1 + (customer.state.orders.length >> 3), Math.max(1, this.#limit >> 4));
    this.#entries.set(customer.state.customerId, { customer, weight, touchedBy });
    this.#weight += weight;
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

  /** Evicts down to the limit; `committed`: seq of the last batch that the store is known to contain. */
  trim(committed: number): void {
    if (this.#weight <= this.#limit) return;
    for (const [customerId, entry] of this.#entries) {
      if (this.#weight <= this.#limit) return;
      if (entry.touchedBy > committed) continue;
      this.#entries.delete(customerId);
      this.#weight -= entry.weight;
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#weight = 0;
  }
}
