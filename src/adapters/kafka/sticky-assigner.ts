import type { PartitionAssigner } from "kafkajs";
import { assignShards } from "./assignor.ts";
import type { Delivery } from "./commit-strategy.ts";
import type { Paced } from "./fetch-pace-patch.ts";
import type { OutOfRangeListener } from "./out-of-range-patch.ts";
import type { PassedListener } from "./passed-offsets-patch.ts";
import kafkajs from "./kafkajs.ts";

/** Members that deliver otherwise must not share a group: brokers refuse a member whose protocol has another name. */
const NAMES: Readonly<Record<Delivery, string>> = {
  "exactly-once": "clientela-shards-v1",
  "at-least-once": "clientela-shards-outbox-v1",
};
const VERSION = 1;

/** What the protocol asks of this process, and tells it. */
export interface AssignedMember extends Partial<OutOfRangeListener & PassedListener & Paced> {
  /** The shards this process holds when it joins. */
  held(): readonly number[];
  /** False: it is about to leave. Default: it stays. */
  staysInGroup?(): boolean;
  /** Default: exactly-once. */
  readonly delivery?: Delivery;
  /** Version and hash of the policy this process runs under. */
  readonly policy?: string;
  /** This process leads the group, and its members run under these different policies. */
  onMixedPolicies?(policies: readonly string[]): void;
}

/**
 * The group protocol of `assignShards`: shard p is partition p of every topic, always at one member. What a member holds
 * travels with its join request, and under which policy it runs.
 */
export function createStickyAssigner(member: AssignedMember): PartitionAssigner {
  const { AssignerProtocol } = kafkajs;
  const name = NAMES[member.delivery ?? "exactly-once"];
  return ({ cluster }) => ({
    name,
    version: VERSION,
    staysInGroup: () => member.staysInGroup?.() ?? true,
    fetchEveryMs: member.fetchEveryMs,
    onOffsetOutOfRange: (topic: string, partition: number) => member.onOffsetOutOfRange?.(topic, partition),
    onPassed: (topic: string, partition: number, from: number, next: number) =>
      member.onPassed?.(topic, partition, from, next),
    assign({ members, topics }) {
      const joined = members.map(({ memberId, memberMetadata }) => {
        const decoded = AssignerProtocol.MemberMetadata.decode(memberMetadata);
        return { memberId, ...decodeUserData(decoded?.userData) };
      });
      const policies = new Set(joined.flatMap(({ policy }) => (policy === null ? [] : [policy])));
      if (policies.size > 1) member.onMixedPolicies?.([...policies].sort());
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
        name,
        metadata: AssignerProtocol.MemberMetadata.encode({
          version: VERSION,
          topics,
          userData: Buffer.from(
            JSON.stringify([...member.held(), ...(member.policy === undefined ? [] : [member.policy])]),
          ),
        }),
      };
    },
  });
}

/** A list of the shards held, and the policy as a text among them: members of before it was told take only the numbers. */
function decodeUserData(userData: Buffer | undefined): { held: number[]; policy: string | null } {
  const parsed: unknown =
    userData === undefined || userData.length === 0 ? [] : JSON.parse(userData.toString("utf8"));
  const items: unknown[] = Array.isArray(parsed) ? parsed : [];
  return {
    held: items.filter((item) => typeof item === "number"),
    policy: items.find((item) => typeof item === "string") ?? null,
  };
}
