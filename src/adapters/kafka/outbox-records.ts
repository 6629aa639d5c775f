import type { IHeaders, KafkaMessage, Message } from "kafkajs";
import type { Committed } from "../../pipeline/ports.ts";
import type { OutboxEntry } from "./outbox-history.ts";

/** Says what an outbox record is: `claim <owner>`, `decision <owner>`, or `output <owner> <partition> <topic>`. */
const HEADER = "clientela_outbox";

type HeaderValue = IHeaders[string];

/**
 * An entry as a record of the shard's outbox partition. An output keeps key, value and headers as they are to be published; should
 * one have a header of the outbox's name (a dead letter keeps what its sender gave it), that stands behind the outbox's own.
 */
export function outboxMessage(entry: OutboxEntry, partition: number): Message {
  switch (entry.kind) {
    case "claim":
      return { key: null, value: null, partition, headers: { [HEADER]: `claim ${entry.owner}` } };
    case "decision": {
      const value = JSON.stringify({ from: entry.from, ...entry.committed });
      return { key: null, value, partition, headers: { [HEADER]: `decision ${entry.owner}` } };
    }
    case "output": {
      const { topic, message } = entry.outgoing;
      const says = `output ${entry.owner} ${String(message.partition)} ${topic}`;
      const theirs = message.headers?.[HEADER];
      const headers = copyOf(message.headers);
      headers[HEADER] = theirs === undefined ? says : [says, ...listOf(theirs)];
      return { key: message.key ?? null, value: message.value, partition, headers };
    }
  }
}

/** null: a record that no outbox wrote. */
export function outboxEntry({
  key,
  value,
  headers,
}: Pick<KafkaMessage, "key" | "value" | "headers">): OutboxEntry | null {
  const [says, ...theirs] = listOf(headers?.[HEADER]);
  const [kind, owner, partition, topic] = String(says ?? "").split(" ");
  if (owner === undefined) return null;
  switch (kind) {
    case "claim":
      return { kind, owner };
    case "decision": {
      const { from, offsets, receipt } = JSON.parse(String(value)) as { from: number } & Committed;
      return { kind, owner, from, committed: { offsets, receipt } };
    }
    case "output": {
      if (partition === undefined || topic === undefined) return null;
      const own = copyOf(headers, HEADER);
      if (theirs.length > 0) own[HEADER] = theirs;
      const message = { key, value, partition: Number(partition), headers: own };
      return { kind, owner, outgoing: { topic, message } };
    }
    default:
      return null;
  }
}

/** Whoever named the headers may have named one __proto__. */
function copyOf(headers: IHeaders | undefined, without: string | null = null): IHeaders {
  const copy = Object.create(null) as IHeaders;
  for (const [name, value] of Object.entries(headers ?? {})) if (name !== without) copy[name] = value;
  return copy;
}

function listOf(value: HeaderValue): (Buffer | string)[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
