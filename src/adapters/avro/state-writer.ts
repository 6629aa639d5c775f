import type { Base, CustomerState, OrderFact, Published, Standing } from "../../domain/customer-state.ts";
import type { Instant } from "../../shared/instant.ts";
import { OrderWriter } from "./order-writer.ts";
import { END, PartWriter } from "./part-writer.ts";
import { RestWriter } from "./rest-writer.ts";
import { STATE_VERSION } from "./state-schema.ts";

/** So many orders of a memo stand apart at most. */
const GREATEST_RECENT = 4;

/** The orders of a tail page as they were written last; of no use once one of them has changed. Grows with the tail. */
export interface TailMemo {
  readonly page: number;
  count: number;
  /**
   * Their bytes, one a character: on the heap, where a small buffer of its own would cost more than it holds. The last few stand apart:
   * the bytes of all would be made anew with each order, and the former ones be garbage among what is old (a fifth of all that becomes
   * old at 15 000 events a second).
   */
  settled: string;
  recent: string;
  recentCount: number;
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
    // Orders stand in the order of their pages, the tail last.
    const tail = this.#ordersOf(state.tailPage, state.orders, tailOrders, tailMemo);
    this.#part.optionalInstant(state.evaluatedAt);
    this.#part.optionalInstant(state.newestAt);
    return { head: sink.finish(), tail, rest };
  }

  /** A page that is no tail any more; `tailMemo` spares most of the work when it was one just now. */
  page(page: number, orders: readonly OrderFact[], tailMemo: TailMemo | null): Uint8Array {
    this.#begin();
    this.#ordersOf(page, orders, orders.length, tailMemo);
    return this.#part.sink.finish();
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

  /** The last `count` of the orders, those of a page, as one block: those of the memo as they were, then the new ones. */
  #ordersOf(page: number, orders: readonly OrderFact[], count: number, memo: TailMemo | null): TailMemo {
    const part = this.#part;
    const { sink } = part;
    const written: TailMemo = memo?.page === page ? memo : emptyMemo(page);
    part.last = written.last;
    part.texts = written.texts;
    if (count === 0) {
      sink.byte(END);
      return written;
    }
    sink.int(count);
    const start = sink.mark();
    sink.latin1(written.settled);
    const recent = sink.mark();
    sink.latin1(written.recent);
    for (let i = orders.length - count + written.count; i < orders.length; i++) {
      const order = orders[i];
      if (order !== undefined) this.#orders.order(order);
    }
    if (written.count < count) {
      written.recentCount += count - written.count;
      if (written.recentCount <= GREATEST_RECENT) written.recent = sink.latin1Since(recent);
      else {
        written.settled = sink.latin1Since(start);
        written.recent = "";
        written.recentCount = 0;
      }
      written.count = count;
      written.last = part.last;
    }
    sink.byte(END);
    return written;
  }
}

function emptyMemo(page: number): TailMemo {
  return { page, count: 0, settled: "", recent: "", recentCount: 0, last: 0, texts: [] };
}
