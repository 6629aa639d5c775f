import type { Kafka } from "kafkajs";
import { UNKNOWN_SOURCES } from "./kafkajs.ts";
import { fetchPartition, READ_COMMITTED } from "./inner-cluster.ts";
import { OwnCluster } from "./own-cluster.ts";

/**
 * Asks a broker, over a connection of its own, whether a partition holds anything from an offset on. A fetch for several partitions
 * can't tell: what it brings nothing of may only have had no room beside the others.
 */
export class TailReader {
  readonly #cluster: OwnCluster;

  constructor(kafka: Kafka) {
    this.#cluster = new OwnCluster(kafka);
  }

  /**
   * The end that readers of committed data can get to, when there is nothing at all from `offset` to there; null: there is, and a fetch
   * brings it. `topic`: its whole name. Throws whatever kafkajs does when the leader can't be asked.
   */
  async emptyUpTo(topic: string, partition: number, offset: number): Promise<number | null> {
    // kafkajs as it comes does not tell a batch whose records are gone from none at all, and others may follow it.
    if (UNKNOWN_SOURCES.length > 0) return null;
    const fetch = { topic, partition, offset, maxBytes: 1, isolationLevel: READ_COMMITTED };
    const answer = await this.#cluster.ask(
      `asking for the end of ${topic}-${partition}`,
      [topic],
      (cluster) => fetchPartition(cluster, fetch),
    );
    if (answer?.lastStableOffset === undefined || answer.messages.length > 0) return null;
    return Number(answer.lastStableOffset);
  }

  close(): Promise<void> {
    return this.#cluster.close();
  }
}
