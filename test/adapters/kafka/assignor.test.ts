import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assignShards, type Member } from "../../../src/adapters/kafka/assignor.ts";

function shardsUpTo(count: number): number[] {
  return Array.from({ length: count }, (_, shard) => shard);
}

/** What each would hold without anybody new: as the group stands before something changes. */
function membersOf(assigned: ReadonlyMap<string, readonly number[]>): Member[] {
  return [...assigned].map(([memberId, held]) => ({ memberId, held }));
}

function moves(members: readonly Member[], assigned: ReadonlyMap<string, readonly number[]>): number {
  const gained = members.map(
    ({ memberId, held }) => assigned.get(memberId)!.filter((shard) => !held.includes(shard)).length,
  );
  return gained.reduce((sum, count) => sum + count, 0);
}

const shards = fc.integer({ min: 0, max: 60 });
const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 12 });
/** Members that claim anything at all: others' shards, shards twice, shards that are no more. */
const claims = ids.chain((memberIds) =>
  fc.tuple(
    ...memberIds.map((memberId) =>
      fc.record({
        memberId: fc.constant(memberId),
        held: fc.array(fc.integer({ min: 0, max: 80 }), { maxLength: 40 }),
      }),
    ),
  ),
);

describe("which member gets which shard (A3)", () => {
  test("each shard goes to one member, and the members are balanced to within one", () => {
    fc.assert(
      fc.property(claims, shards, (members, count) => {
        const assigned = [...assignShards(members, shardsUpTo(count)).values()];
        expect(assigned.flat().sort((a, b) => a - b)).toEqual(shardsUpTo(count));
        const sizes = assigned.map((list) => list.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("the order in which members and shards are named does not matter", () => {
    fc.assert(
      fc.property(claims, shards, fc.func(fc.integer()), (members, count, key) => {
        const shuffled = [...members].sort((a, b) => key(a.memberId) - key(b.memberId));
        expect(new Map([...assignShards(shuffled, shardsUpTo(count).reverse())].sort())).toEqual(
          new Map([...assignShards(members, shardsUpTo(count))].sort()),
        );
      }),
    );
  });

  test("a group at rest stays as it is", () => {
    fc.assert(
      fc.property(claims, shards, (members, count) => {
        const settled = assignShards(members, shardsUpTo(count));
        expect(assignShards(membersOf(settled), shardsUpTo(count))).toEqual(settled);
      }),
    );
  });

  test("one who joins gets only its share, and nothing moves between the others", () => {
    fc.assert(
      fc.property(ids, shards, fc.string({ minLength: 7, maxLength: 8 }), (memberIds, count, newcomer) => {
        const before = assignShards(
          memberIds.map((memberId) => ({ memberId, held: [] })),
          shardsUpTo(count),
        );
        const members = [...membersOf(before), { memberId: newcomer, held: [] }];
        const after = assignShards(members, shardsUpTo(count));
        expect(moves(members, after)).toBe(after.get(newcomer)!.length);
      }),
    );
  });

  test("of one who leaves only what it held moves", () => {
    fc.assert(
      fc.property(ids, shards, fc.nat(), (memberIds, count, pick) => {
        fc.pre(memberIds.length > 1);
        const before = assignShards(
          memberIds.map((memberId) => ({ memberId, held: [] })),
          shardsUpTo(count),
        );
        const gone = memberIds[pick % memberIds.length]!;
        const members = membersOf(before).filter(({ memberId }) => memberId !== gone);
        expect(moves(members, assignShards(members, shardsUpTo(count)))).toBe(before.get(gone)!.length);
      }),
    );
  });

  test("nobody there, nothing to give; more members than shards: some get none", () => {
    expect(assignShards([], [0, 1])).toEqual(new Map());
    const three = ["a", "b", "c"].map((memberId) => ({ memberId, held: [] }));
    expect([...assignShards(three, [0]).values()].map((list) => list.length).sort()).toEqual([0, 0, 1]);
  });

  test("a thousand members and ten thousand shards in well under a second", () => {
    const members = Array.from({ length: 1000 }, (_, i) => ({ memberId: `m${i}`, held: [] }));
    const before = assignShards(members, shardsUpTo(10_000));
    const started = performance.now();
    const after = assignShards(
      [...membersOf(before).slice(1), { memberId: "new", held: [] }],
      shardsUpTo(10_000),
    );
    expect(performance.now() - started).toBeLessThan(1000);
    expect([...after.values()].every((list) => list.length === 10)).toBe(true);
  });
});
