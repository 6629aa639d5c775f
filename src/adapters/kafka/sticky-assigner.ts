import type { PartitionAssigner } from "kafkajs";
import { assignShards } from "./assignor.ts";
import kafkajs from "./kafkajs.ts";

const NAME = "clientela-shards-v1";
const VERSION = 1;

/**
 * The group protocol of `assignShards`: shard p is partition p of every topic, always at one member. What a member holds
 * travels with its join request.
 * @param held the shards this process holds when it joins
 */
export function createStickyAssigner(held: () => readonly number[]): PartitionAssigner {
  const { AssignerProtocol } = kafkajs;
  return ({ cluster }) => ({
    name: NAME,
    version: VERSION,
    assign({ members, topics }) {
      const joined = members.map(({ memberId, memberMetadata }) => {
        const decoded = AssignerProtocol.MemberMetadata.decode(memberMetadata);
        return { memberId, held: decodeShards(decoded?.userData) };
      });
      const shards = new Set<number>();
      for (const topic of topics) {
        for (const { partitionId } of cluster.findTopicPartitionMetadata(topic)) shards.add(partitionId);
      }
      const assigned = assignShards(joined, [...shards]);
      return Promise.resolve(
        members.map(({ memberId }) => ({
          memberId,
          memberAssignment: AssignerProtocol.MemberAssignment.encode({
            version: VERSION,
            assignment: Object.fromEntries(topics.map((topic) => [topic, assigned.get(memberId) ?? []])),
            userData: Buffer.alloc(0),
          }),
        })),
      );
    },
    protocol({ topics }) {
      return {
        name: NAME,
        metadata: AssignerProtocol.MemberMetadata.encode({
          version: VERSION,
          topics,
          userData: Buffer.from(JSON.stringify(held())),
        }),
      };
    },
  });
}

function decodeShards(userData: Buffer | undefined): number[] {
  if (userData === undefined || userData.length === 0) return [];
  const parsed: unknown = JSON.parse(userData.toString("utf8"));
  return Array.isArray(parsed) ? parsed.filter((shard) => typeof shard === "number") : [];
}
