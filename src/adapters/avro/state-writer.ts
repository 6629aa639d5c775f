import type { Base, CustomerState, OrderFact, Published, Standing } from "../../domain/customer-state.ts";
import type { Instant } from "../../shared/instant.ts";
import { OrderWriter } from "./order-writer.ts";
import { END, PartWriter } from "./part-writer.ts";
import { RestWriter } from "./rest-writer.ts";
import { STATE_VERSION } from "./state-schema.ts";

/** The orders of a tail page as they were written last; of no use once one of them has changed. Grows with the tail. */
export interface TailMemo {
  readonly page: number;
  count: number;
  /** Their bytes, one a character: on the heap, where a small buffer of its own would cost more than it holds. */
  items: string;
  /** Where the differences of instants go on. */
  last: number;
  readonly texts: string[];
}

/** All else of a head as it was written last; of no use once a fact of it has changed. */
export interface RestMemo {
  readonly bytes: string;
  readonly standing: Standing | null;
  readonly published: Published | null;
  readonly base: Base | null;
  readonly erasedAt: Instant | null;
}

/**
 * Writes the parts of a state as `state-schema.ts` says, straight from the domain's objects: states are written with every batch,
 * and a generic writer spends more on the objects it wants than on the bytes (test/adapters/avro/state-codec.test.ts reads what
 * is written here with the schema).
 */
export class StateWriter {
  readonly #part = new PartWriter();
  readonly #orders = new OrderWriter(this.#part);
  readonly #rest = new RestWriter(this.#part);

  /**
   * The head of a state with so many orders on the tail page, and what the memos are to be for the next one. With those of the one before only the orders are encoded
   * that have been added to the tail since; and to look at old facts costs more than their bytes do.
   */
  head(
    state: CustomerState,
    tailOrders: number,
    tailMemo: TailMemo | null,
    restMemo: RestMemo | null,
  ): { readonly head: Uint8Array; readonly tail: TailMemo; readonly rest: RestMemo } {
    const { sink } = this.#part;
    this.#begin();
    sink.int(state.firstPage);
    sink.int(state.tailPage);
    const rest = this.#restOf(state, restMemo);
    const tail = this.#tailOf(state, tailOrders, tailMemo?.page === state.tailPage ? tailMemo : null);
    this.#part.optionalInstant(state.evaluatedAt);
    this.#part.optionalInstant(state.newestAt);
    return { head: sink.finish(), tail, rest };
  }

  page(orders: readonly OrderFact[]): Uint8Array {
    const { sink } = this.#part;
    this.#begin();
    sink.list(orders, this.#orders.order);
    return sink.finish();
  }

  #begin(): void {
    this.#part.sink.begin();
    this.#part.sink.byte(STATE_VERSION);
    this.#part.beginSection();
  }

  #restOf(state: CustomerState, memo: RestMemo | null): RestMemo {
    const { sink } = this.#part;
    const { standing, published, base, erasedAt } = state;
    if (
      memo !== null &&
      memo.standing === standing &&
      memo.published === published &&
      memo.base === base &&
      memo.erasedAt === erasedAt
    ) {
      sink.latin1(memo.bytes);
      return memo;
    }
    const start = sink.mark();
    this.#part.beginSection();
    this.#rest.rest(state);
    return { bytes: sink.latin1Since(start), standing, published, base, erasedAt };
  }

  /** The orders of the tail page as one block: those of the memo as they were, then the new ones. */
  #tailOf({ orders, tailPage }: CustomerState, count: number, memo: TailMemo | null): TailMemo {
    const part = this.#part;
    const { sink } = part;
    const tail: TailMemo = memo ?? { page: tailPage, count: 0, items: "", last: 0, texts: [] };
    part.last = tail.last;
    part.texts = tail.texts;
    if (count === 0) {
      sink.byte(END);
      return tail;
    }
    sink.int(count);
    const start = sink.mark();
    sink.latin1(tail.items);
    // Orders stand in the order of their pages, the tail last.
    for (let i = orders.length - count + tail.count; i < orders.length; i++) {
      const order = orders[i];
      if (order !== undefined) this.#orders.order(order);
    }
    if (tail.count < count) {
      tail.items = sink.latin1Since(start);
      tail.count = count;
      tail.last = part.last;
    }
    sink.byte(END);
    return tail;
  }
}
