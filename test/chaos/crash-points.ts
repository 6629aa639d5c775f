import { writeSync } from "node:fs";
import { portOf } from "../port-of.ts";
import type { ShardPorts } from "../../src/app/compose-kafka.ts";
import type { ShardLog, ShardSource, StateStore } from "../../src/pipeline/ports.ts";

/** Steps of A4 at which a processor can be told to die. */
export const CRASH_POINTS = [
  "before the transaction",
  "within the transaction",
  "after the transaction",
  "before the script",
  "within the script",
  "after the script",
  "after taking the epoch",
  "after the fence",
  "within the silent re-fold",
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

/** Told over the IPC channel: dies when it comes to the point, `skip` times passing it by first. null: nowhere. */
export interface DieOrder {
  readonly point: CrashPoint | null;
  readonly skip: number;
}

/** For the steps of which only the middle is wanted: at most so long after they have begun. A transaction takes about 8 ms. */
const MIDDLE_MS = 12;

/** Dies by SIGKILL at a point, when ordered to. */
export class Deaths {
  #point: CrashPoint | null = null;
  #skip = 0;

  order({ point, skip }: DieOrder): void {
    this.#point = point;
    this.#skip = skip;
  }

  passes(point: CrashPoint): void {
    if (this.isNext(point)) this.#die(point);
  }

  /** In the middle of something that is under way. */
  soon(point: CrashPoint): void {
    if (this.isNext(point)) setTimeout(() => this.#die(point), Math.random() * MIDDLE_MS);
  }

  private isNext(point: CrashPoint): boolean {
    return this.#point === point && this.#skip-- <= 0;
  }

  #die(point: CrashPoint): void {
    writeSync(2, `${JSON.stringify({ msg: "dying", point })}\n`);
    process.kill(process.pid, "SIGKILL");
    // The signal comes when it comes; nothing more may be done until then.
    for (;;);
  }
}

/** Ports that tell `deaths` of every step. */
export function portsWithDeaths({ store, source }: ShardPorts, deaths: Deaths): ShardPorts {
  /** seq of the receipt that was found, by shard: what is stored below it is a silent re-fold. */
  const receipts = new Map<number, number>();
  return {
    store: storeWithDeaths(store, deaths, receipts),
    source: throughLogs(source, (shard, log) => ({
      ...portOf(log),
      fence: async () => {
        const committed = await log.fence();
        receipts.set(shard, committed?.receipt.seq ?? 0);
        deaths.passes("after the fence");
        return committed;
      },
      commit: async (output, committed) => {
        deaths.passes("before the transaction");
        deaths.soon("within the transaction");
        await log.commit(output, committed);
        deaths.passes("after the transaction");
      },
    })),
  };
}

function storeWithDeaths(
  store: StateStore,
  deaths: Deaths,
  receipts: ReadonlyMap<number, number>,
): StateStore {
  return {
    ...storePortOf(store),
    acquire: async (shard) => {
      const acquired = await store.acquire(shard);
      deaths.passes("after taking the epoch");
      return acquired;
    },
    commit: async (shard, commit) => {
      if (commit.marks.published < (receipts.get(shard) ?? 0)) deaths.passes("within the silent re-fold");
      deaths.passes("before the script");
      deaths.soon("within the script");
      const result = await store.commit(shard, commit);
      deaths.passes("after the script");
      return result;
    },
  };
}

/** A source whose logs go through `wrap`. */
export function throughLogs(
  source: ShardSource,
  wrap: (shard: number, log: ShardLog) => ShardLog,
): ShardSource {
  return {
    start: (handler) =>
      source.start({
        assigned: (shard, log) => handler.assigned(shard, wrap(shard, log)),
        revoked: (shard) => handler.revoked(shard),
        failed: (error) => handler.failed(error),
      }),
    stop: () => source.stop(),
  };
}

/** The same for a store. */
export function storePortOf(store: StateStore): StateStore {
  return {
    acquire: (shard) => store.acquire(shard),
    peek: (shard) => store.peek(shard),
    position: (shard) => store.position(shard),
    read: (...asked) => store.read(...asked),
    commit: (shard, commit) => store.commit(shard, commit),
    clear: (shard, epoch) => store.clear(shard, epoch),
    due: (...asked) => store.due(...asked),
    nextDue: (shard) => store.nextDue(shard),
    customers: (...asked) => store.customers(...asked),
    close: () => store.close(),
  };
}
