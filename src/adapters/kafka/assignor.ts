/** A member of the group as the leader sees it. */
export interface Member {
  readonly memberId: string;
  /** Shards it held when it joined; empty for a new one. */
  readonly held: readonly number[];
}

/**
 * Gives each shard to one member, balanced to within one, moving as few as possible: a member keeps what it held unless it
 * held more than its share. Deterministic: the same members and shards, in any order, give the same answer. Two members that
 * claim the same shard (one of them was away for a while) are told apart by their ids.
 */
export function assignShards(members: readonly Member[], shards: readonly number[]): Map<string, number[]> {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const assigned = new Map<string, number[]>(sorted.map(({ memberId }) => [memberId, []]));
  if (sorted.length === 0) return assigned;
  const free = new Set(shards);
  const least = Math.floor(shards.length / sorted.length);
  let withOneMore = shards.length % sorted.length;
  // Those that hold most keep the odd ones: fewer shards move.
  const byHeld = [...sorted].sort(
    (a, b) => b.held.length - a.held.length || (a.memberId < b.memberId ? -1 : 1),
  );
  const share = new Map<string, number>();
  for (const { memberId } of byHeld) share.set(memberId, least + (withOneMore-- > 0 ? 1 : 0));
  for (const { memberId, held } of sorted) {
    const list = assigned.get(memberId) ?? [];
    for (const shard of [...held].sort((a, b) => a - b)) {
      if (list.length >= (share.get(memberId) ?? 0)) break;
      if (free.delete(shard)) list.push(shard);
    }
  }
  const rest = [...free].sort((a, b) => a - b);
  for (const { memberId } of sorted) {
    const list = assigned.get(memberId) ?? [];
    while (list.length < (share.get(memberId) ?? 0)) {
      const shard = rest.shift();
      if (shard === undefined) break;
      list.push(shard);
    }
    list.sort((a, b) => a - b);
  }
  return assigned;
}
