import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { CustomerWrite, Held, Marks, StateCommit, StateStore } from "../../pipeline/ports.ts";
import { assureHeld } from "../../pipeline/store-moved.ts";
import { lockFolder } from "./folder-lock.ts";
import { Journal } from "./journal.ts";
import { ShardState } from "./shard-state.ts";

/** A journal is made anew when it has grown to so many times its size after the last time. */
const COMPACT_AT = 4;
const LEAST_COMPACTED_BYTES = 2 ** 20;
/** Customers in one entry of a journal made anew. */
const CUSTOMERS_PER_ENTRY = 1000;

export interface FolderStateStoreOptions {
  /** False: commits survive the process, but not the machine. Default true. */
  readonly sync?: boolean;
}

type Entry =
  | { readonly kind: "acquire" }
  | ({ readonly kind: "commit" } & Pick<StateCommit, "writes" | "marks" | "policyText">)
  | { readonly kind: "clear" }
  | {
      readonly kind: "restore";
      readonly epoch: number;
      readonly marks: Omit<Marks, "epoch"> | null;
      readonly policyText: string | null;
    }
  | { readonly kind: "customers"; readonly writes: readonly CustomerWrite[] };

interface Shard {
  readonly state: ShardState;
  readonly journal: Journal;
  compactedBytes: number;
  /** Calls that change the shard follow one another. */
  last: Promise<unknown>;
}

/**
 * States of all shards in memory, each with a journal `state-<shard>.journal` in a folder: they are there again when the
 * process starts anew. One process at a time (`state.lock`). Errors: RetriableError when the disk fails.
 * @throws RefusedError when the folder is in use; later, when a shard is first used, if its journal is damaged
 */
export async function createFolderStateStore(
  folder: string,
  options: FolderStateStoreOptions = {},
): Promise<StateStore> {
  await mkdir(folder, { recursive: true });
  return new FolderStateStore(folder, options, lockFolder(join(folder, "state.lock")));
}

class FolderStateStore implements StateStore {
  readonly #folder: string;
  readonly #options: FolderStateStoreOptions;
  readonly #unlock: () => void;
  readonly #shards = new Map<number, Promise<Shard>>();

  constructor(folder: string, options: FolderStateStoreOptions, unlock: () => void) {
    this.#folder = folder;
    this.#options = options;
    this.#unlock = unlock;
  }

  acquire(shard: number): ReturnType<StateStore["acquire"]> {
    return this.#inTurn(shard, async ({ state, journal }) => {
      await journal.append({ kind: "acquire" } satisfies Entry);
      return state.acquire();
    });
  }

  commit(shard: number, commit: StateCommit): ReturnType<StateStore["commit"]> {
    return this.#inTurn(shard, async (held) => {
      const result = held.state.judge(commit);
      if (result.kind !== "applied") return result;
      const { writes, marks, policyText } = commit;
      await held.journal.append({ kind: "commit", writes, marks, policyText } satisfies Entry);
      held.state.apply(commit);
      await compactIfLarge(held);
      return result;
    });
  }

  clear(shard: number, epoch: number): ReturnType<StateStore["clear"]> {
    return this.#inTurn(shard, async ({ state, journal }) => {
      const result = state.judgeClear(epoch);
      if (result.kind !== "applied") return result;
      await journal.append({ kind: "clear" } satisfies Entry);
      state.clear();
      return result;
    });
  }

  async read(...[shard, customerIds, held]: Parameters<StateStore["read"]>): ReturnType<StateStore["read"]> {
    return (await this.#held(shard, held)).read(customerIds);
  }

  async due(...[shard, upTo, limit, held]: Parameters<StateStore["due"]>): ReturnType<StateStore["due"]> {
    return (await this.#held(shard, held)).due(upTo, limit);
  }

  async peek(shard: number): ReturnType<StateStore["peek"]> {
    return (await this.#shard(shard)).state.peek();
  }

  async position(shard: number): ReturnType<StateStore["position"]> {
    return (await this.#shard(shard)).state.position();
  }

  async nextDue(shard: number): ReturnType<StateStore["nextDue"]> {
    return (await this.#shard(shard)).state.nextDue();
  }

  async customers(
    ...[shard, after, limit, held]: Parameters<StateStore["customers"]>
  ): ReturnType<StateStore["customers"]> {
    return (await this.#held(shard, held)).customers(after, limit);
  }

  async close(): Promise<void> {
    for (const opened of await Promise.allSettled(this.#shards.values())) {
      if (opened.status === "rejected") continue;
      await opened.value.last.catch(() => undefined);
      await opened.value.journal.close();
    }
    this.#shards.clear();
    this.#unlock();
  }

  async #held(shard: number, held: Held | undefined): Promise<ShardState> {
    const { state } = await this.#shard(shard);
    assureHeld(shard, held, state.position());
    return state;
  }

  async #inTurn<T>(number: number, change: (shard: Shard) => Promise<T>): Promise<T> {
    const shard = await this.#shard(number);
    const done = shard.last.catch(() => undefined).then(() => change(shard));
    shard.last = done;
    return done;
  }

  #shard(number: number): Promise<Shard> {
    let shard = this.#shards.get(number);
    if (shard === undefined) {
      shard = openShard(join(this.#folder, `state-${number}.journal`), this.#options);
      this.#shards.set(number, shard);
    }
    return shard;
  }
}

async function openShard(path: string, options: FolderStateStoreOptions): Promise<Shard> {
  const { journal, entries } = await Journal.open(path, { sync: options.sync ?? true });
  const state = new ShardState();
  for (const entry of entries as Entry[]) replay(state, entry);
  return { state, journal, compactedBytes: LEAST_COMPACTED_BYTES, last: Promise.resolve() };
}

function replay(state: ShardState, entry: Entry): void {
  switch (entry.kind) {
    case "acquire":
      state.acquire();
      return;
    case "commit":
      state.apply(entry);
      return;
    case "clear":
      state.clear();
      return;
    case "restore":
      state.restore({ ...entry, writes: [] });
      return;
    case "customers":
      state.write(entry.writes);
  }
}

async function compactIfLarge(shard: Shard): Promise<void> {
  if (shard.journal.sizeBytes <= COMPACT_AT * shard.compactedBytes) return;
  await shard.journal.replace(entriesOf(shard.state));
  shard.compactedBytes = Math.max(LEAST_COMPACTED_BYTES, shard.journal.sizeBytes);
}

function* entriesOf(state: ShardState): Iterable<Entry> {
  const { epoch, marks, policyText, writes } = state.snapshot();
  yield { kind: "restore", epoch, marks, policyText };
  for (let i = 0; i < writes.length; i += CUSTOMERS_PER_ENTRY) {
    yield { kind: "customers", writes: writes.slice(i, i + CUSTOMERS_PER_ENTRY) };
  }
}
