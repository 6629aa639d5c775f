import type { Admin } from "kafkajs";
import { FACT_TOPICS } from "../../domain/events.ts";
import { RefusedError } from "../../pipeline/errors.ts";
import { refuseOtherLog, type LogIdentity } from "../../pipeline/log-identity.ts";
import { outboxTopic } from "./kafka-outbox.ts";
import kafkajs from "./kafkajs.ts";
import { readReceipt, RECEIPT_TOPIC } from "./receipts.ts";

/**
 * Checks, before the group is joined and anything is fenced, that its committed offsets are of this log and that its members read the
 * same topics: shards begin one by one, and one that is new must not publish before another refuses.
 * @throws RefusedError PARTITIONS_CHANGED, TOPICS_REPLACED, APPLICATION_ID_TAKEN
 */
export async function checkGroup(admin: Admin, groupId: string, identity: LogIdentity): Promise<void> {
  await checkMembers(admin, groupId, identity.prefix);
  const committed = await admin.fetchOffsets({ groupId, topics: [identity.prefix + RECEIPT_TOPIC] });
  for (const { partition, metadata } of committed.flatMap(({ partitions }) => partitions)) {
    // One that can't be read is refused when its shard is acquired.
    refuseOtherLog(`the committed position of shard ${partition}`, readReceipt(metadata)?.log, identity);
  }
}

async function checkMembers(admin: Admin, groupId: string, prefix: string): Promise<void> {
  const { groups } = await admin.describeGroups([groupId]);
  const topics = FACT_TOPICS.map((topic) => prefix + topic);
  const own = [...topics, outboxTopic(prefix, groupId)];
  for (const { memberId, memberMetadata } of groups.flatMap(({ members }) => members)) {
    const other = subscriptionOf(memberMetadata).find((topic) => !own.includes(topic));
    if (other === undefined) continue;
    throw new RefusedError(
      "APPLICATION_ID_TAKEN",
      `group ${groupId} has a member (${memberId}) that reads ${other}, but this is the application of ${topics.join(", ")}: two applications have one CLIENTELA_APPLICATION_ID. ` +
        "They would fence each other's transactions. Give this one an id of its own",
    );
  }
}

/** Empty for a member of a group that is just being balanced, of which the broker does not tell, and for one of another protocol. */
function subscriptionOf(metadata: Buffer): readonly string[] {
  if (metadata.length === 0) return [];
  try {
    return kafkajs.AssignerProtocol.MemberMetadata.decode(metadata)?.topics ?? [];
  } catch {
    return [];
  }
}
