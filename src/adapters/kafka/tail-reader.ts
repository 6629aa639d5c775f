import type { Kafka } from "kafkajs";
import { ADMIN_ANSWER_MS, within } from "./failures.ts";
import { UNKNOWN_SOURCES } from "./kafkajs.ts";
import { innerCluster, READ_COMMITTED, type InnerCluster } from "./inner-cluster.ts";

/**
 * Asks a broker, over a connection of its own, whether a partition holds anything from an offset on. A fetch for several partitions
 * can't tell: what it brings nothing of may only have had no room beside the others.
 */
export class TailReader {
  readonly #kafka: Kafka;
  #cluster: InnerCluster | null = null;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /**
   * The end that readers of committed data can get to, when there is nothing at all from `offset` to there; null: there is, and a fetch
   * brings it. `topic`: its whole name. Throws whatever kafkajs does when the leader can't be asked.
   */
  async emptyUpTo(topic: string, partition: number, offset: number): Promise<number | null> {
    // kafkajs as it comes does not tell a batch whose records are gone from none at all, and others may follow it.
    if (UNKNOWN_SOURCES.length > 0) return null;
    const cluster = (this.#cluster ??= innerCluster(this.#kafka));
    try {
      const what = `asking for the end of ${topic}-${partition}`;
      return await within(ADMIN_ANSWER_MS, what, ask(cluster, topic, partition, offset));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const cluster = this.#cluster;
    this.#cluster = null;
    await cluster?.disconnect().catch(() => undefined);
  }
}

async function ask(
  cluster: InnerCluster,
  topic: string,
  partition: number,
  offset: number,
): Promise<number | null> {
  await cluster.connect();
  await cluster.addMultipleTargetTopics([topic]);
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
  if (nodeId === undefined) return null;
  const broker = await cluster.findBroker({ nodeId });
  // However small the limit, the first batch there is comes whole (KIP-74).
  const { responses } = await broker.fetch({
    maxWaitTime: 0,
    minBytes: 0,
    maxBytes: 1,
    isolationLevel: READ_COMMITTED,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: 1 }] }],
  });
  const [answer] = responses.flatMap(({ partitions }) => partitions);
  if (answer?.lastStableOffset === undefined || answer.messages.length > 0) return null;
  return Number(answer.lastStableOffset);
}
