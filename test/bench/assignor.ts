import { assignShards, type Member } from "../../src/adapters/kafka/assignor.ts";
import { Random } from "../../src/app/simulation/random.ts";

const INSTANCES = 1_000;
const SHARDS = 4_096;
const CHANGES = 500;

/** What can happen to a group of many instances, and how often among the changes. */
const KINDS = [
  { name: "one joins", weight: 40, change: joins(1) },
  { name: "one leaves", weight: 20, change: leaves(1) },
  { name: "one crashes", weight: 20, change: leaves(1) },
  { name: "one is restarted", weight: 15, change: restarts(1) },
  { name: "ten join at once", weight: 5, change: joins(10) },
  { name: "ten crash at once", weight: 5, change: leaves(10) },
  { name: "a zone is lost: a third crashes", weight: 1, change: leavesShare(1 / 3) },
  { name: "a third joins at once", weight: 0, change: joinsShare(1 / 2) },
] as const;

type Change = (members: Member[], random: Random, next: () => string) => Member[];

interface Told {
  events: number;
  moved: number;
  least: number;
  /** Shards that lost their owner: no member could have kept them. */
  orphaned: number;
  assignMs: number;
}

/**
 * The assignor alone, with a thousand instances that join, leave and crash: shards that change their owner against the least
 * that any balanced assignment could do, and what the leader's work and its answer cost.
 */
export function benchAssignor(seed = 1): Promise<object> {
  const random = new Random(seed, 5);
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
  let named = 0;
  const next = (): string => `clientela-${named++}`;
  let members: Member[] = Array.from({ length: INSTANCES }, () => ({ memberId: next(), held: [] }));
  members = assignedTo(assignShards(members, shards));
  const told = new Map<string, Told>(
    KINDS.map(({ name }) => [name, { events: 0, moved: 0, least: 0, orphaned: 0, assignMs: 0 }]),
  );
  const deck = KINDS.flatMap((kind) => Array.from({ length: kind.weight }, () => kind));
  for (let i = 0; i < CHANGES; i++) {
    // What a lost zone took comes back.
    const wanted = members.length < INSTANCES * 0.75 ? "a third joins at once" : random.pick(deck).name;
    const kind = KINDS.find(({ name }) => name === wanted) ?? KINDS[0];
    const joined = kind.change(members, random, next);
    const startedAt = performance.now();
    const assigned = assignShards(joined, shards);
    const row = told.get(kind.name);
    if (row === undefined) throw new Error(`${kind.name} is not counted`);
    row.assignMs = Math.max(row.assignMs, performance.now() - startedAt);
    row.events++;
    row.moved += movedShards(joined, assigned);
    row.least += leastMoves(joined, SHARDS);
    row.orphaned += SHARDS - new Set(joined.flatMap(({ held }) => held)).size;
    members = assignedTo(assigned);
  }
  return Promise.resolve({
    instances: INSTANCES,
    shards: SHARDS,
    changes: Object.fromEntries([...told].map(([name, row]) => [name, averages(row)])),
  });
}

function averages({ events, moved, least, orphaned, assignMs }: Told): object {
  const per = (sum: number): number => Math.round((10 * sum) / Math.max(1, events)) / 10;
  return {
    events,
    movedPerEvent: per(moved),
    leastPerEvent: per(least),
    orphanedPerEvent: per(orphaned),
    slowestAssignMs: Math.round(assignMs * 10) / 10,
  };
}

/** Shards that a member gains. */
export function movedShards(
  members: readonly Member[],
  assigned: ReadonlyMap<string, readonly number[]>,
): number {
  const held = new Map(members.map((member) => [member.memberId, new Set(member.held)]));
  let moved = 0;
  for (const [memberId, shards] of assigned) {
    for (const shard of shards) if (held.get(memberId)?.has(shard) !== true) moved++;
  }
  return moved;
}

/**
 * The least that must move to balance within one, by counting: a member keeps at most what it holds, and at most its share,
 * and only as many as there are odd shards keep one more.
 */
export function leastMoves(members: readonly Member[], shards: number): number {
  const share = Math.floor(shards / members.length);
  const odd = shards % members.length;
  const kept = members.reduce((sum, { held }) => sum + Math.min(held.length, share), 0);
  const withOneMore = members.filter(({ held }) => held.length > share).length;
  return shards - kept - Math.min(odd, withOneMore);
}

function assignedTo(assigned: ReadonlyMap<string, readonly number[]>): Member[] {
  return [...assigned].map(([memberId, held]) => ({ memberId, held }));
}

function joins(count: number): Change {
  return (members, _, next) => [
    ...members,
    ...Array.from({ length: count }, () => ({ memberId: next(), held: [] })),
  ];
}

function leaves(count: number): Change {
  return (members, random) => random.shuffled(members).slice(count);
}

/** Gone and back, under another member id, before the group has shared out what it held. */
function restarts(count: number): Change {
  return (members, random, next) => joins(count)(leaves(count)(members, random, next), random, next);
}

function leavesShare(share: number): Change {
  return (members, random, next) => leaves(Math.floor(members.length * share))(members, random, next);
}

function joinsShare(share: number): Change {
  return (members, random, next) => joins(Math.floor(members.length * share))(members, random, next);
}
