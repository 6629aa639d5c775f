import type { ChangeRecord } from "./published.ts";

const PREFIX = "s";

/** Key of the `i`-th customer of a storm. */
export function stormCustomer(i: number): string {
  return `${PREFIX}${i}`;
}

export function isOfStorm(key: Buffer | null): boolean {
  return key !== null && key[0] === PREFIX.charCodeAt(0);
}

/** Counts the changes of a storm as they become visible: one of each customer, effective at the one instant. */
export class StormWatch {
  readonly #seen: Uint8Array;
  readonly #effectiveAt: string;
  #count = 0;
  #firstSeenAt = NaN;
  #lastSeenAt = NaN;
  /** What a change was that is none of the storm's; only the first is told. */
  #wrong: string | null = null;

  constructor(customers: number, at: number) {
    this.#seen = new Uint8Array(customers);
    this.#effectiveAt = new Date(at).toISOString();
  }

  note(records: readonly Pick<ChangeRecord, "key" | "headers">[]): void {
    if (records.length === 0) return;
    this.#lastSeenAt = Date.now();
    if (this.#count === 0) this.#firstSeenAt = this.#lastSeenAt;
    for (const { key, headers } of records) {
      const id = String(key);
      const i = Number(id.slice(PREFIX.length));
      const effectiveAt = String(headers?.["ce_time"]);
      if (effectiveAt !== this.#effectiveAt)
        this.#wrong ??= `a change of ${id} is of ${effectiveAt}, not of ${this.#effectiveAt}`;
      else if (this.#seen[i] !== 0) this.#wrong ??= `the change of ${id} came twice, or ${id} is unknown`;
      else this.#count++;
      this.#seen[i] = 1;
    }
  }

  /** Customers whose change has been seen. Throws when another change has. */
  get count(): number {
    if (this.#wrong !== null) throw new Error(this.#wrong);
    return this.#count;
  }

  /** When the first and the last became visible, ms since the epoch. Throws when it was not one change of each customer. */
  result(): { readonly firstSeenAt: number; readonly lastSeenAt: number } {
    if (this.count < this.#seen.length)
      throw new Error(`${this.count} of ${this.#seen.length} changes were seen`);
    return { firstSeenAt: this.#firstSeenAt, lastSeenAt: this.#lastSeenAt };
  }
}
