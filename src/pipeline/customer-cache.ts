import type { CustomerState } from "../domain/customer-state.ts";
import type { Customer } from "../domain/customer.ts";

interface Entry {
  readonly customer: Customer;
  /** Bytes, by `weightOf`. */
  weight: number;
  /** seq of the last batch that touched it: until that one is committed, the store has an older state. */
  touchedBy: number;
  /** It came for a sweep: most of those have been silent for long, and will be. */
  isPassing: boolean;
}

/** Bytes of a decoded customer, and of each fact: measured on heaps of 25 000 customers with 2 to 50 facts each (Node 24). */
const CUSTOMER_BYTES = 4096;
const FACT_BYTES = 512;
/** A customer weighs no more than this share of the budget, so that a wholesaler read with all its chunks stays while it is busy. */
const GREATEST_SHARE = 1 / 16;

/**
 * What the decoded customers of all shards of a thread may take together: how many shards it has is the group's affair, its memory is not, nor is
 * how long its collector works. Each may take what the others leave; when it gets short, who has more than an equal share gives way.
 */
export class CacheBudget {
  readonly bytes: number;
  /** Bytes that are taken. */
  used = 0;
  readonly #caches = new Set<CustomerCache>();

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** A cache that takes part until it is closed. */
  open(): CustomerCache {
    const cache = new CustomerCache(this);
    this.#caches.add(cache);
    return cache;
  }

  /** For the cache that closes. */
  leave(cache: CustomerCache): void {
    this.#caches.delete(cache);
  }

  enforce(): void {
    const share = this.bytes / this.#caches.size;
    for (const cache of this.#caches) {
      if (this.used <= this.bytes) return;
      cache.shrinkTo(share);
    }
  }
}

/**
 * Decoded customers of one shard, least recently used out first, valid while the epoch is held. What a batch that is not yet
 * committed has touched is never evicted. Who came for a sweep goes with its batch: a storm of
 * deadlines must not drive those out who are busy, nor fill the heap with states that nobody asks for again.
 */
export class CustomerCache {
  readonly #budget: CacheBudget;
  readonly #entries = new Map<string, Entry>();
  /** Ids of those that came for a sweep; some may have become others since. */
  #passing: string[] = [];
  #weight = 0;
  /** seq of the last batch that the store is known to contain. */
  #committed = 0;
  hits = 0;
  misses = 0;

  constructor(budget: CacheBudget) {
    this.#budget = budget;
  }

  /**
   * A customer is wanted for the batch with this seq; `isPassing`: by a sweep.
   * @returns whether it is there; it stays until that batch has been committed, and is the last to go then
   */
  claim(customerId: string, seq: number, isPassing: boolean): boolean {
    const entry = this.#entries.get(customerId);
    if (entry === undefined) {
      this.misses++;
      return false;
    }
    this.hits++;
    entry.touchedBy = seq;
    if (!isPassing) entry.isPassing = false;
    // Where nobody will have to go soon, the order is of no use.
    if (this.#budget.used > this.#budget.bytes / 2) {
      this.#entries.delete(customerId);
      this.#entries.set(customerId, entry);
    }
    return true;
  }

  get(customerId: string): Customer | undefined {
    return this.#entries.get(customerId)?.customer;
  }

  add(customer: Customer, touchedBy: number, isPassing = false): void {
    const weight = this.#weightOf(customer);
    const { customerId } = customer.state;
    this.#entries.set(customerId, { customer, weight, touchedBy, isPassing });
    if (isPassing) this.#passing.push(customerId);
    this.#weigh(weight);
  }

  /** The batch with this seq has changed it. */
  touch(customerId: string, seq: number): void {
    const entry = this.#entries.get(customerId);
    if (entry === undefined) return;
    entry.touchedBy = seq;
    const weight = this.#weightOf(entry.customer);
    this.#weigh(weight - entry.weight);
    entry.weight = weight;
  }

  /** Puts another in the place of the one with this id. */
  replace(customer: Customer, touchedBy: number): void {
    this.#weigh(-(this.#entries.get(customer.state.customerId)?.weight ?? 0));
    this.add(customer, touchedBy);
  }

  /** Evicts who came for a sweep, and whom the budget has no room for; `committed`: seq of the last batch that the store is known to contain. */
  trim(committed: number): void {
    this.#committed = committed;
    if (this.#passing.length > 0) {
      this.#passing = this.#passing.filter((customerId) => !this.#hasPassed(customerId));
    }
    this.#budget.enforce();
  }

  /** Evicts until it takes no more than this, or the budget suffices; at any time, also amid a batch. */
  shrinkTo(bytes: number): void {
    const budget = this.#budget;
    for (const [customerId, entry] of this.#entries) {
      if (this.#weight <= bytes || budget.used <= budget.bytes) return;
      if (entry.touchedBy <= this.#committed) this.#evict(customerId, entry);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#passing = [];
    this.#weigh(-this.#weight);
  }

  /** Gives back what it takes. Nobody may use it any more. */
  close(): void {
    this.clear();
    this.#budget.leave(this);
  }

  #hasPassed(customerId: string): boolean {
    const entry = this.#entries.get(customerId);
    if (entry?.isPassing !== true) return true;
    if (entry.touchedBy > this.#committed) return false;
    this.#evict(customerId, entry);
    return true;
  }

  #evict(customerId: string, { weight }: Entry): void {
    this.#entries.delete(customerId);
    this.#weigh(-weight);
  }

  #weigh(difference: number): void {
    this.#weight += difference;
    this.#budget.used += difference;
  }

  #weightOf({ state }: Customer): number {
    const most = Math.max(1, this.#budget.bytes * GREATEST_SHARE);
    return Math.min(CUSTOMER_BYTES + FACT_BYTES * factsOf(state), most);
  }
}

function factsOf({ orders, inquiries, surveys, register, referrals }: CustomerState): number {
  return orders.length + inquiries.length + surveys.length + register.length + referrals.length;
}
