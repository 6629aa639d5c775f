import kafkajs, { type Cluster } from "kafkajs";
import { expect, test } from "vitest";
import { createStickyAssigner, type AssignedMember } from "../../../src/adapters/kafka/sticky-assigner.ts";

const TOPICS = ["x.orders", "x.surveys"];

/** The part of kafkajs's cluster that an assigner asks. */
function clusterOf(partitions: number): Cluster {
  const findTopicPartitionMetadata = (): { partitionId: number }[] =>
    Array.from({ length: partitions }, (_, partitionId) => ({ partitionId }));
  return { findTopicPartitionMetadata } as unknown as Cluster;
}

function assigner(
  held: readonly number[],
  member: Partial<AssignedMember> = {},
): ReturnType<ReturnType<typeof createStickyAssigner>> {
  return createStickyAssigner({ held: () => held, ...member })({
    cluster: clusterOf(4),
    groupId: "g",
    logger: undefined as never,
  });
}

async function assign(
  members: Readonly<Record<string, Buffer>>,
  leader = assigner([]),
): Promise<Record<string, unknown>> {
  const answer = await leader.assign({
    members: Object.entries(members).map(([memberId, memberMetadata]) => ({ memberId, memberMetadata })),
    topics: TOPICS,
  });
  return Object.fromEntries(
    answer.map(({ memberId, memberAssignment }) => [
      memberId,
      kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment,
    ]),
  );
}

test("what a member holds travels with its request, and it keeps it: the same shards of every topic (A3)", async () => {
  const metadataOf = (held: readonly number[]): Buffer =>
    assigner(held).protocol({ topics: TOPICS }).metadata;
  expect(await assign({ a: metadataOf([3, 1]), b: metadataOf([]) })).toEqual({
    a: { "x.orders": [1, 3], "x.surveys": [1, 3] },
    b: { "x.orders": [0, 2], "x.surveys": [0, 2] },
  });
});

test("the leader learns that members run under different policies (S7.3), also beside one that does not tell", async () => {
  const metadataOf = (policy?: string): Buffer =>
    assigner([2], policy === undefined ? {} : { policy }).protocol({ topics: TOPICS }).metadata;
  const told: (readonly string[])[] = [];
  const leader = assigner([], { onMixedPolicies: (policies) => told.push(policies) });
  await assign({ a: metadataOf("2026-01 ab"), b: metadataOf("2026-01 ab"), c: metadataOf() }, leader);
  expect(told).toEqual([]);
  const assigned = await assign({ a: metadataOf("2026-02 cd"), b: metadataOf("2026-01 ab") }, leader);
  expect(told).toEqual([["2026-01 ab", "2026-02 cd"]]);
  expect(assigned["a"], "what it holds is still understood").toMatchObject({
    "x.orders": expect.arrayContaining([2]) as unknown,
  });
});

test("a member that says nothing of what it holds is a new one", async () => {
  const { MemberMetadata } = kafkajs.AssignerProtocol;
  const silent = MemberMetadata.encode({ version: 1, topics: TOPICS, userData: Buffer.alloc(0) });
  expect(await assign({ a: silent })).toEqual({ a: { "x.orders": [0, 1, 2, 3], "x.surveys": [0, 1, 2, 3] } });
});
