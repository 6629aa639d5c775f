import { loadCustomer, newCustomer } from "../domain/customer.ts";
import type { Policy } from "../domain/policy.ts";
import type { CustomerCache } from "./customer-cache.ts";
import { RefusedError } from "./errors.ts";
import type { StateCodec, StoredCustomer } from "./ports.ts";

/**
 * Customers in one read. As many again may wait for it before nothing more is taken. A server answers so many in under a millisecond,
 * and their decoding holds a thread up for some 20.
 */
const READ_CUSTOMERS = 2000;

/** What loads work with. */
export interface LoadContext {
  readonly shard: number;
  readonly cache: CustomerCache;
  readonly codec: StateCodec;
  /** States that may be built on: read, and found to be of a store that stood where this owner left it. */
  read(customerIds: readonly string[]): Promise<(StoredCustomer | null)[]>;
  /** Called once at most: what was loaded by then is of no use either. */
  failed(error: unknown): void;
}

/** For which batch customers are loaded: all that are under way at a time are for one. */
interface Purpose {
  readonly policy: Policy;
  /** Holds them in the cache until the batch with this seq is committed: an eviction in between would make a known customer look new. */
  readonly seq: number;
  /** They are wanted for that batch only. */
  readonly isPassing: boolean;
}

/**
 * Brings customers into a shard's cache beside its other work: one read at a time (what is asked after a read tells of the last one
 * only), of all that were asked for while the one before was under way. Those that nobody knows come as new ones.
 */
export class CustomerLoads {
  readonly #context: LoadContext;
  /** Asked for while a read was under way. */
  #waiting: string[] = [];
  /** Never rejects. */
  #reading: Promise<void> | null = null;

  constructor(context: LoadContext) {
    this.#context = context;
  }

  /** Asks for customers, each once while it is not there. */
  start(customerIds: Iterable<string>, purpose: Purpose): void {
    const { cache } = this.#context;
    for (const customerId of customerIds) {
      if (!cache.claim(customerId, purpose.seq, purpose.isPassing)) this.#waiting.push(customerId);
    }
    if (this.#reading === null) this.#readNext(purpose);
  }

  get isUnderWay(): boolean {
    return this.#reading !== null;
  }

  /** Resolves when more may be asked for. */
  async room(): Promise<void> {
    while (this.#waiting.length >= READ_CUSTOMERS) await this.#reading;
  }

  /** Resolves when nothing is under way any more, however it ended. */
  async ended(): Promise<void> {
    while (this.#reading !== null) await this.#reading;
  }

  /** Nobody wants those any more that are not yet asked for. */
  giveUp(): void {
    this.#waiting = [];
  }

  #readNext(purpose: Purpose): void {
    this.#reading = null;
    if (this.#waiting.length === 0) return;
    this.#reading = this.#bring(this.#waiting.splice(0, READ_CUSTOMERS), purpose).then(
      () => this.#readNext(purpose),
      (error: unknown) => {
        this.#reading = null;
        this.giveUp();
        this.#context.failed(error);
      },
    );
  }

  async #bring(customerIds: readonly string[], { policy, seq, isPassing }: Purpose): Promise<void> {
    const stored = await this.#context.read(customerIds);
    for (const [i, customerId] of customerIds.entries()) {
      const bytes = stored[i] ?? null;
      const customer =
        bytes === null ? newCustomer(customerId) : loadCustomer(this.#decoded(customerId, bytes), policy);
      this.#context.cache.add(customer, seq, isPassing);
    }
  }

  #decoded(customerId: string, bytes: StoredCustomer): ReturnType<StateCodec["decode"]> {
    const { shard, codec } = this.#context;
    try {
      return codec.decode(customerId, bytes);
    } catch (cause) {
      throw new RefusedError(
        "STATE_DAMAGED",
        `a state in shard ${shard} can't be read: ${cause instanceof Error ? cause.message : String(cause)}. Restore the state store, or start with CLIENTELA_ON_STATE_LOSS=rebuild; after an upgrade that was taken back, go forward again`,
        cause,
      );
    }
  }
}
