import type { Held, StateStore } from "../../pipeline/ports.ts";
import { assureHeld } from "../../pipeline/store-moved.ts";
import { ShardState } from "./shard-state.ts";

/** States of all shards in this process's memory, gone with it. Never waits, never fails. */
export function createMemoryStateStore(): StateStore {
  const shards = new Map<number, ShardState>();
  const of = (shard: number): ShardState => {
    let state = shards.get(shard);
    if (state === undefined) {
      state = new ShardState();
      shards.set(shard, state);
    }
    return state;
  };
  const answer = async <T>(
    shard: number,
    held: Held | undefined,
    read: (state: ShardState) => T,
  ): Promise<T> => {
    const state = of(shard);
    assureHeld(shard, held, state.position());
    return Promise.resolve(read(state));
  };
  return {
    peek: (shard) => Promise.resolve(of(shard).peek()),
    acquire: (shard) => Promise.resolve(of(shard).acquire()),
    position: (shard) => Promise.resolve(of(shard).position()),
    read: (shard, customerIds, held) => answer(shard, held, (state) => state.read(customerIds)),
    commit(shard, commit) {
      const state = of(shard);
      const result = state.judge(commit);
      if (result.kind === "applied") state.apply(commit);
      return Promise.resolve(result);
    },
    clear(shard, epoch) {
      const state = of(shard);
      const result = state.judgeClear(epoch);
      if (result.kind === "applied") state.clear();
      return Promise.resolve(result);
    },
    due: (shard, upTo, limit, held) => answer(shard, held, (state) => state.due(upTo, limit)),
    nextDue: (shard) => Promise.resolve(of(shard).nextDue()),
    customers: (shard, after, limit, held) => answer(shard, held, (state) => state.customers(after, limit)),
    close: () => Promise.resolve(),
  };
}
