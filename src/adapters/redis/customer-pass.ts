import { compareUtf8 } from "../../shared/utf8-order.ts";

const SURROGATE = /[\ud800-\udfff]/;

/**
 * The ids of one shard, sorted, while somebody walks through them page by page: Redis keeps them in no order, so each page
 * on its own would cost a scan of all. Costs some 60 bytes an id while it lasts.
 */
export class CustomerPass {
  readonly #ids: string[];
  /** The id that the next page must follow; null: this pass is over. */
  #lastGiven: string | null = "";

  /** `ids` may hold some twice. */
  constructor(ids: ReadonlySet<string>) {
    const sorted = [...ids];
    // UTF-16 order, which sorts much faster, is UTF-8 order where nothing lies beyond U+FFFF.
    if (sorted.some((id) => SURROGATE.test(id))) sorted.sort(compareUtf8);
    else sorted.sort();
    this.#ids = sorted;
  }

  /** Whether a page after `after` is the continuation of what was given last. */
  continues(after: string): boolean {
    return this.#lastGiven === after;
  }

  /** Whether the id is among them. */
  holds(customerId: string): boolean {
    return this.#ids[this.#firstAbove(customerId) - 1] === customerId;
  }

  page(after: string, limit: number): string[] {
    const from = after === "" ? 0 : this.#firstAbove(after);
    const page = this.#ids.slice(from, from + limit);
    this.#lastGiven = page.length < limit ? null : (page.at(-1) ?? null);
    return page;
  }

  #firstAbove(customerId: string): number {
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareUtf8(this.#ids[middle] ?? "", customerId) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
