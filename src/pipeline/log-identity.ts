import { FACT_TOPICS, type FactTopic } from "../domain/events.ts";
import { RefusedError } from "./errors.ts";
import type { Receipt, ShardLog } from "./ports.ts";

/**
 * Which log the offsets of a shard count in. It travels in the receipt and in the marks, so that states and offsets are never
 * taken for those of other topics, or of the same topics with another number of partitions (A3).
 */
export interface LogIdentity {
  /** Kafka's cluster id; "" where brokers don't tell. */
  readonly cluster: string;
  /** Put before every topic name. */
  readonly prefix: string;
  /** Partitions of every input: which shard a customer is in depends on it. */
  readonly shards: number;
  /** Kafka's topic ids (KIP-516): a topic that is deleted and made anew has another. Those that brokers (before 2.8) don't tell are missing. */
  readonly topics: Readonly<Partial<Record<FactTopic, string>>>;
}

/**
 * Refuses when what was found belongs to another log than the one at hand. `whose` begins the message: "the state of shard 3".
 * @throws RefusedError APPLICATION_ID_TAKEN (other cluster or prefix), PARTITIONS_CHANGED, TOPICS_REPLACED
 */
export function refuseOtherLog(whose: string, found: LogIdentity | undefined, now: LogIdentity): void {
  if (found === undefined) return;
  const isOtherCluster = found.cluster !== "" && now.cluster !== "" && found.cluster !== now.cluster;
  if (isOtherCluster || found.prefix !== now.prefix) {
    throw new RefusedError(
      "APPLICATION_ID_TAKEN",
      `${whose} belongs to ${described(found)}, but this is ${described(now)}: two applications have one CLIENTELA_APPLICATION_ID, or its topics have moved. ` +
        "Nothing was changed. Give this one a CLIENTELA_APPLICATION_ID of its own; if the topics have moved for good, with CLIENTELA_FIRST_START=silent",
    );
  }
  if (found.shards !== now.shards) {
    throw new RefusedError(
      "PARTITIONS_CHANGED",
      `${whose} was made with ${found.shards} partitions, now the inputs have ${now.shards}: customers whose key now falls into another partition would be split from their past. ` +
        NEW_TOPICS,
    );
  }
  const replaced = FACT_TOPICS.filter((topic) => {
    const [before, after] = [found.topics[topic], now.topics[topic]];
    return before !== undefined && after !== undefined && before !== after;
  });
  if (replaced.length > 0) {
    const ids = replaced.map(
      (topic) =>
        `${now.prefix}${topic} (its topic id was ${String(found.topics[topic])}, now ${String(now.topics[topic])})`,
    );
    throw new RefusedError(
      "TOPICS_REPLACED",
      `${whose} was made from other topics of the same name: ${ids.join(", ")}. What was read up to the committed offsets is gone, and what stands there now would be skipped. ` +
        "Start under a fresh CLIENTELA_APPLICATION_ID, which folds what the topics hold now; with CLIENTELA_FIRST_START=silent if subscribers have had the changes",
    );
  }
}

/** The way out when partitions were added, which Kafka can't take back. */
export const NEW_TOPICS =
  "Partitions can't be taken away again: create topics under a new CLIENTELA_TOPIC_PREFIX with the number you want, copy the inputs into them by key, " +
  "and start under a fresh CLIENTELA_APPLICATION_ID with CLIENTELA_FIRST_START=silent";

/** What receipts and marks of a shard keep saying of its log. */
export type Provenance = Pick<Receipt, "log" | "begin">;

/** The log as it is now, and where the shard began. What is missing stays out, so that it takes no room. */
export function provenanceOf({ identity }: ShardLog, { begin }: Provenance): Provenance {
  return { ...(identity === undefined ? {} : { log: identity }), ...(begin === undefined ? {} : { begin }) };
}

function described({ cluster, prefix }: LogIdentity): string {
  return `the topics ${prefix}${FACT_TOPICS[0]} and so on of Kafka cluster ${cluster === "" ? "(unknown)" : cluster}`;
}
