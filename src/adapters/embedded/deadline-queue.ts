import type { Instant } from "../../shared/instant.ts";
import { compareUtf8 } from "../../shared/utf8-order.ts";

export interface Deadline {
  readonly customerId: string;
  readonly at: Instant;
}

/** Entries that no longer hold may outnumber those that do by so many before the heap is made anew. */
const STALE_ALLOWED = 1024;

/**
 * The next deadline of each customer, in (instant, UTF-8 bytes of the id) order. A heap whose entries are left behind when a
 * deadline moves and dropped when they surface: `set` and each deadline that `due` returns cost O(log n), amortised.
 */
export class DeadlineQueue {
  readonly #deadlines = new Map<string, Instant>();
  #heap: Deadline[] = [];

  get size(): number {
    return this.#deadlines.size;
  }

  /** How many entries the heap has, those that no longer hold among them. */
  get entries(): number {
    return this.#heap.length;
  }

  /** null: none. */
  set(customerId: string, at: Instant | null): void {
    if (at === null) {
      this.#deadlines.delete(customerId);
      return;
    }
    if (this.#deadlines.get(customerId) === at) return;
    this.#deadlines.set(customerId, at);
    this.#push({ customerId, at });
    if (this.#heap.length > 2 * this.#deadlines.size + STALE_ALLOWED) this.#rebuild();
  }

  get(customerId: string): Instant | null {
    return this.#deadlines.get(customerId) ?? null;
  }

  clear(): void {
    this.#deadlines.clear();
    this.#heap = [];
  }

  next(): Instant | null {
    const first = this.#first();
    return first === null ? null : first.at;
  }

  /** The first `limit` deadlines ≤ upTo; they stay. */
  due(upTo: Instant, limit: number): Deadline[] {
    const found: Deadline[] = [];
    while (found.length < limit) {
      const first = this.#first();
      if (first === null || first.at > upTo) break;
      this.#pop();
      // One that moved away and back is in the heap twice, one after the other.
      const last = found.at(-1);
      if (last?.customerId !== first.customerId) found.push(first);
    }
    for (const deadline of found) this.#push(deadline);
    return found;
  }

  /** The first entry that still holds. */
  #first(): Deadline | null {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return null;
      if (this.#deadlines.get(first.customerId) === first.at) return first;
      this.#pop();
    }
  }

  #rebuild(): void {
    // A sorted array is a heap.
    this.#heap = Array.from(this.#deadlines, ([customerId, at]) => ({ customerId, at }));
    this.#heap.sort(compareDeadlines);
  }

  #push(deadline: Deadline): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(deadline);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || compareDeadlines(above, deadline) <= 0) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = deadline;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const a = heap[left];
      if (a === undefined) break;
      const b = heap[left + 1];
      const [child, below] = b !== undefined && compareDeadlines(b, a) < 0 ? [left + 1, b] : [left, a];
      if (compareDeadlines(last, below) <= 0) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}

function compareDeadlines(a: Deadline, b: Deadline): number {
  return a.at - b.at || compareUtf8(a.customerId, b.customerId);
}
