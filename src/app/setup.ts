import { subjectOf } from "../adapters/avro/encoder.ts";
import { SCHEMA_TOPICS, schemaText } from "../adapters/avro/schemas.ts";
import type { Delivery } from "../adapters/kafka/commit-strategy.ts";
import { outboxTopic } from "../adapters/kafka/kafka-outbox.ts";
import { setupTopics, type TopicFinding } from "../adapters/kafka/topics.ts";
import type { Logger } from "../pipeline/options.ts";
import { withAdmin } from "./admin.ts";
import { registryOf, type Servers } from "./compose-kafka.ts";

export interface SetupOptions {
  readonly servers: Servers;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly changesRetentionMs: number;
  /** Default: exactly-once, which needs no outbox. */
  readonly delivery?: Delivery;
  readonly logger: Logger;
}

/** What setup found or did about a topic, or about a subject of the registry. */
export type Finding =
  TopicFinding | { readonly subject: string; readonly state: "registered" | "ok"; readonly id: number };

/** Creates or checks topics, registers schemas; may be run again at any time (I1 `setup`). */
export async function setup(options: SetupOptions): Promise<Finding[]> {
  const { servers, logger } = options;
  const outboxes =
    options.delivery === "at-least-once" ? [outboxTopic(servers.topicPrefix, servers.applicationId)] : [];
  const findings: Finding[] = await withAdmin(servers, logger, "setting up topics", (admin) =>
    setupTopics(admin, { ...options, prefix: servers.topicPrefix, outboxes }),
  );
  const registry = registryOf(servers);
  for (const topic of SCHEMA_TOPICS) {
    const subject = subjectOf(servers.topicPrefix, topic);
    const held = await registry.idOf(subject, schemaText(topic));
    const id = held ?? (await registry.register(subject, schemaText(topic)));
    findings.push({ subject, state: held === null ? "registered" : "ok", id });
  }
  return findings;
}
