import type { Kafka } from "kafkajs";
import { ADMIN_ANSWER_MS, within } from "./failures.ts";
import { innerCluster, READ_UNCOMMITTED, type InnerCluster } from "./inner-cluster.ts";

/** An inner cluster that stays connected from one question to the next, and is made anew after one that failed. */
export class OwnCluster {
  readonly #kafka: Kafka;
  readonly #isolationLevel: number;
  #cluster: InnerCluster | null = null;

  /** `isolationLevel`: of the offsets it tells; a fetch names its own. */
  constructor(kafka: Kafka, isolationLevel: number = READ_UNCOMMITTED) {
    this.#kafka = kafka;
    this.#isolationLevel = isolationLevel;
  }

  /**
   * `topics`: whole names; kafkajs finds brokers by the metadata of the topics it was told of. Throws what `question` or kafkajs
   * throws, and RetriableError when there is no answer within ADMIN_ANSWER_MS.
   */
  async ask<T>(
    what: string,
    topics: readonly string[],
    question: (cluster: InnerCluster) => Promise<T>,
  ): Promise<T> {
    const cluster = (this.#cluster ??= innerCluster(this.#kafka, this.#isolationLevel));
    const answer = async (): Promise<T> => {
      await cluster.connect();
      await cluster.addMultipleTargetTopics(topics);
      return question(cluster);
    };
    try {
      return await within(ADMIN_ANSWER_MS, what, answer());
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
