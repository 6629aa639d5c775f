import type { Message, TopicMessages } from "kafkajs";

/** kafkajs makes one record batch of all that a request holds for a partition; brokers refuse one over 1 MiB unless configured. */
export const REQUEST_BYTES = 768 * 1024;
/** Headers and framing of one record, about. */
const RECORD_OVERHEAD_BYTES = 300;

/** About what a record takes on the wire. */
export function sizeOf({ key, value }: Message): number {
  return RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
}

/**
 * Records as requests of a size that brokers take (`max.message.bytes`, 1 MiB unless configured), in order. A single record that
 * is larger goes alone; its topic must allow it.
 */
export function* requestsOf(records: readonly TopicMessages[]): Generator<TopicMessages[]> {
  let request: TopicMessages[] = [];
  let bytes = 0;
  for (const { topic, messages } of records) {
    let from = 0;
    for (const [i, message] of messages.entries()) {
      const size = sizeOf(message);
      if (bytes > 0 && bytes + size > REQUEST_BYTES) {
        if (i > from) request.push({ topic, messages: messages.slice(from, i) });
        yield request;
        request = [];
        bytes = 0;
        from = i;
      }
      bytes += size;
    }
    if (from < messages.length) request.push({ topic, messages: messages.slice(from) });
  }
  if (request.length > 0) yield request;
}
