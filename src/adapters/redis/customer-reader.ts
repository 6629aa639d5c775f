import { RefusedError, RetriableError } from "../../pipeline/errors.ts";
import type { Held, StateCodec, StoredCustomer } from "../../pipeline/ports.ts";
import type { RedisConnection } from "./connection.ts";
import { chunkField, type ShardKeys } from "./keys.ts";
import { asBuffers, asRead } from "./replies.ts";
import { SCRIPTS } from "./script.ts";

/** Customers asked for in one command, so that none holds the server for more than about a millisecond. */
const CUSTOMERS_PER_COMMAND = 4000;
/** Customers with pages, and pages, in one script; Lua unpacks fewer than 8000 values. */
const HEAVY_PER_SCRIPT = 500;
const PAGES_PER_SCRIPT = 1000;
/** A head that names more was written by something else; 1.6 million orders. */
const MOST_PAGES = 100_000;
/** So often a customer's pages may change under a reader before it gives up for now. */
const ATTEMPTS = 5;

const NO_CHUNKS: ReadonlyMap<number, Uint8Array> = new Map();

export type PagesOf = StateCodec["pages"];

/** The shard that is read, and where it must stand meanwhile. */
export interface ReadFrom {
  readonly shard: number;
  readonly keys: ShardKeys;
  readonly held: Held | undefined;
}

interface Heavy {
  readonly index: number;
  readonly customerId: string;
  readonly head: Buffer;
  readonly pages: readonly [first: number, tail: number];
}

/** Reads states of a shard: heads first; then, of those that have pages, head and pages anew as of one moment. */
export class CustomerReader {
  readonly #redis: RedisConnection;
  readonly #pages: PagesOf;

  /** `pages` may throw on what is no head. */
  constructor(redis: RedisConnection, pages: PagesOf) {
    this.#redis = redis;
    this.#pages = pages;
  }

  async heads({ shard, keys, held }: ReadFrom, customerIds: readonly string[]): Promise<(Buffer | null)[]> {
    const replies: Promise<unknown>[] = [];
    for (let i = 0; i < customerIds.length; i += CUSTOMERS_PER_COMMAND) {
      const ids = customerIds.slice(i, i + CUSTOMERS_PER_COMMAND);
      replies.push(this.#redis.script("reading customers", SCRIPTS.heads, [keys.marks, keys.states], ids));
    }
    const what = "the heads of customers";
    return (await Promise.all(replies)).flatMap((reply) =>
      asBuffers(asRead(reply, shard, held, what)[0], what),
    );
  }

  /** All of it under `held`: a part that was read when the store stood elsewhere throws STATE_MOVED. */
  async read(from: ReadFrom, customerIds: readonly string[]): Promise<(StoredCustomer | null)[]> {
    const stored: (StoredCustomer | null)[] = new Array<StoredCustomer | null>(customerIds.length);
    let heavy: Heavy[] = [];
    const sort = (index: number, customerId: string, head: Buffer | null): void => {
      const pages = head === null ? null : this.#pagesIn(from.keys, head);
      stored[index] = head === null ? null : { head, chunks: NO_CHUNKS };
      if (head !== null && pages !== null && pages[0] < pages[1])
        heavy.push({ index, customerId, head, pages });
    };
    const heads = await this.heads(from, customerIds);
    for (const [index, customerId] of customerIds.entries()) sort(index, customerId, heads[index] ?? null);

    for (let attempt = 1; heavy.length > 0; attempt++) {
      if (attempt > ATTEMPTS) {
        throw new RetriableError("STATE_MOVED", "a customer's state changed faster than it could be read");
      }
      const asked = heavy;
      heavy = [];
      for (const group of groupsOf(asked)) {
        const found = await this.#readPages(from, group);
        for (const [i, customer] of group.entries()) {
          const now = found[i] ?? null;
          // The head says which pages there are: if it is another one by now, ask again by that one.
          if (now?.head.equals(customer.head) === true) stored[customer.index] = now;
          else sort(customer.index, customer.customerId, now?.head ?? null);
        }
      }
    }
    return stored;
  }

  /** Pages [first, tail) that the heads of these customers say there are. */
  async pagesOf(
    from: ReadFrom,
    customerIds: readonly string[],
  ): Promise<(readonly [customerId: string, page: number])[]> {
    const heads = await this.heads(from, customerIds);
    return customerIds.flatMap((customerId, i) => {
      const head = heads[i] ?? null;
      return head === null
        ? []
        : pageNumbers(this.#pagesIn(from.keys, head)).map((page) => [customerId, page] as const);
    });
  }

  /** @throws RefusedError when these bytes are no head */
  #pagesIn(keys: ShardKeys, head: Buffer): readonly [first: number, tail: number] {
    let why = "it names more pages than a customer can have";
    let cause: unknown;
    try {
      const [first, tail] = this.#pages(head);
      if (first >= 0 && tail - first <= MOST_PAGES) return [first, tail];
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
      cause = error;
    }
    throw new RefusedError(
      "STATE_DAMAGED",
      `a state in ${keys.states} can't be read: ${why}. Restore the state store, or start with CLIENTELA_ON_STATE_LOSS=rebuild; after an upgrade that was taken back, go forward again`,
      cause,
    );
  }

  async #readPages(
    { shard, keys, held }: ReadFrom,
    group: readonly Heavy[],
  ): Promise<({ head: Buffer; chunks: ReadonlyMap<number, Uint8Array> } | null)[]> {
    const fields = group.flatMap(({ customerId, pages }) =>
      pageNumbers(pages).map((page) => chunkField(customerId, page)),
    );
    const args = [group.length, ...group.map(({ customerId }) => customerId), ...fields];
    const reply = await this.#redis.script(
      "reading pages of customers",
      SCRIPTS.pages,
      [keys.marks, keys.states, keys.chunks],
      args,
    );
    const [headsReply, pagesReply] = asRead(reply, shard, held, "the pages of customers");
    const heads = asBuffers(headsReply, "the pages of customers");
    const bytes = asBuffers(pagesReply, "the pages of customers");
    let next = 0;
    return group.map((customer, i) => {
      const numbers = pageNumbers(customer.pages);
      const found = bytes.slice(next, (next += numbers.length));
      const head = heads[i] ?? null;
      if (head === null) return null;
      const chunks = new Map<number, Uint8Array>();
      for (const [j, page] of numbers.entries()) {
        const chunk = found[j] ?? null;
        // Pages of which nothing is left have been deleted; that none is missing otherwise the shard's counts tell.
        if (chunk !== null) chunks.set(page, chunk);
      }
      return { head, chunks };
    });
  }
}

function pageNumbers([first, tail]: readonly [number, number]): number[] {
  return Array.from({ length: Math.max(0, tail - first) }, (_, i) => first + i);
}

/** Cuts the customers into groups within the limits of one script; one customer with more pages goes alone. */
function* groupsOf(customers: readonly Heavy[]): Iterable<readonly Heavy[]> {
  let group: Heavy[] = [];
  let pages = 0;
  for (const customer of customers) {
    const count = customer.pages[1] - customer.pages[0];
    if (group.length > 0 && (group.length >= HEAVY_PER_SCRIPT || pages + count > PAGES_PER_SCRIPT)) {
      yield group;
      group = [];
      pages = 0;
    }
    group.push(customer);
    pages += count;
  }
  if (group.length > 0) yield group;
}
