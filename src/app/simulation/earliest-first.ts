interface Entry<T> {
  readonly at: number;
  readonly rank: number;
  readonly item: T;
}

/** A binary heap: the item with the smallest `at` comes out first, of equal ones that with the smallest `rank`. */
export class EarliestFirst<T> {
  readonly #entries: Entry<T>[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** When the first item is due; Infinity: there is none. */
  get nextAt(): number {
    return this.#entries[0]?.at ?? Infinity;
  }

  add(at: number, rank: number, item: T): void {
    const entries = this.#entries;
    const entry = { at, rank, item };
    let index = entries.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = entries[parentIndex];
      if (parent === undefined || isBefore(parent, entry)) break;
      entries[index] = parent;
      index = parentIndex;
    }
    entries[index] = entry;
  }

  /** Takes the first item out. */
  take(): T | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop();
    if (first === undefined || last === undefined || entries.length === 0) return first?.item;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = entries[childIndex];
      if (child === undefined) break;
      const right = entries[childIndex + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        childIndex++;
      }
      if (isBefore(last, child)) break;
      entries[index] = child;
      index = childIndex;
    }
    entries[index] = last;
    return first.item;
  }
}

function isBefore(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.at < b.at || (a.at === b.at && a.rank < b.rank);
}
