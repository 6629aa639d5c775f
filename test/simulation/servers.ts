import { EmbeddedLog, type NewRecord } from "../../src/adapters/embedded/embedded-log.ts";
import { ShardState } from "../../src/adapters/embedded/shard-state.ts";
import { Random } from "../../src/app/simulation/random.ts";
import type {
  BatchOutput,
  Clock,
  Committed,
  Offsets,
  ShardLog,
  StateCommit,
  StateCommitResult,
} from "../../src/pipeline/ports.ts";

export interface Transaction extends Committed {
  readonly shard: number;
  readonly output: BatchOutput;
}

/** How the store decides on a commit; the embedded store's own way, unless an omission takes its place. */
export type Judge = (state: ShardState, commit: StateCommit) => StateCommitResult;

const JUDGE: Judge = (state, commit) => state.judge(commit);

/** What Kafka is to the processes: the embedded log, and what it has committed. */
export class Broker {
  readonly transactions: Transaction[] = [];
  readonly log: EmbeddedLog;
  readonly #committed = new Map<number, Transaction>();

  constructor(shards: number, clock: Clock, keep: "all" | "uncommitted") {
    this.log = new EmbeddedLog({
      shards,
      clock,
      input: "endless",
      keep,
      onCommitted: (shard, output, committed) => {
        const transaction = { shard, output, ...committed };
        this.transactions.push(transaction);
        this.#committed.set(shard, transaction);
      },
    });
  }

  append(records: readonly NewRecord[]): void {
    // Nobody waits for room here; the records are in the log when the call returns.
    void this.log.append(records);
  }

  open(shard: number): ShardLog {
    return this.log.open(shard);
  }

  /** Where the topics of a shard end. */
  async ends(shard: number): Promise<Offsets> {
    const handle = this.open(shard);
    const ends = await handle.ends();
    await handle.close();
    return ends;
  }

  committed(shard: number): Committed | null {
    const last = this.#committed.get(shard);
    return last === undefined ? null : { offsets: last.offsets, receipt: last.receipt };
  }
}

type Write = (state: ShardState) => void;

interface StoredShard {
  state: ShardState;
  writes: Write[];
}

/**
 * What Redis is to the processes: the embedded store's shards, with a memory of every write, so that it can be made anew from
 * all but the last of them, as a Redis that lost its last seconds.
 */
export class ForgetfulStore {
  readonly #shards: readonly StoredShard[];
  readonly #judge: Judge;
  readonly #steps = new Random(1);

  constructor(shards: number, judge: Judge = JUDGE) {
    this.#shards = Array.from({ length: shards }, () => ({ state: new ShardState(), writes: [] }));
    this.#judge = judge;
  }

  of(shard: number): ShardState {
    return this.#shard(shard).state;
  }

  acquire(shard: number): ReturnType<ShardState["acquire"]> {
    // As Redis does it (decision 0012): an epoch that was lost is never given out again.
    const step = 1 + this.#steps.below(2 ** 20);
    return this.#write(shard, (state) => state.acquire(step));
  }

  commit(shard: number, commit: StateCommit): StateCommitResult {
    const result = this.#judge(this.of(shard), commit);
    if (result.kind === "applied") this.#write(shard, (state) => state.apply(commit));
    return result;
  }

  clear(shard: number, epoch: number): StateCommitResult {
    const result = this.of(shard).judgeClear(epoch);
    if (result.kind === "applied") this.#write(shard, (state) => state.clear());
    return result;
  }

  /** How many writes a shard has seen that it still knows of. */
  writes(shard: number): number {
    return this.#shard(shard).writes.length;
  }

  /** Loses the last writes of a shard; returns how many there were. */
  forget(shard: number, last: number): number {
    const stored = this.#shard(shard);
    const { length } = stored.writes;
    const lost = Math.min(last, length);
    stored.writes.length = length - lost;
    stored.state = new ShardState();
    for (const write of stored.writes) write(stored.state);
    return lost;
  }

  #write<T>(shard: number, write: (state: ShardState) => T): T {
    const stored = this.#shard(shard);
    stored.writes.push(write);
    return write(stored.state);
  }

  #shard(shard: number): StoredShard {
    const stored = this.#shards[shard];
    if (stored === undefined) throw new Error(`there is no shard ${shard}`);
    return stored;
  }
}
