import { createWriteStream, type WriteStream } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createAvroEncoder } from "../../src/adapters/avro/encoder.ts";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { kafkaClient, registryOf, type Servers } from "../../src/app/compose-kafka.ts";
import { eventLine } from "../../src/app/simulation/event-line.ts";
import type { SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import { instant } from "../../src/shared/instant.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";

export interface LoadOptions {
  readonly servers: Servers;
  readonly shards: number;
  readonly customers: number;
  readonly eventsPerSecond: number;
  /** What was sent is also written here, as an event file. */
  readonly file: string;
}

const SLICE_MS = 20;
const BURST_RECORDS = 5_000;
/** Of event time between two orders of a burst: nine million come to seven weeks. */
const STEP_MS = 500;
const HOUR_MS = 3_600_000;

/**
 * Orders at an even rate until `stop`, the customers in turn, each order an hour of event time after the customer's last: of almost every one comes a change. Only
 * orders, so that the order in which a shard takes them is the order in which they were sent.
 */
export async function startLoad(options: LoadOptions): Promise<{ sent(): number; stop(): Promise<number> }> {
  const { servers, shards, customers, eventsPerSecond } = options;
  const encoder = await createAvroEncoder(registryOf(servers), servers.topicPrefix);
  const producer = kafkaClient(servers, createLogger("error")).producer({ idempotent: true });
  await producer.connect();
  const out = createWriteStream(options.file);
  // Past, so that no order is of the future whatever the rounds.
  const startAt = Date.now() - 60 * 24 * HOUR_MS;
  let sent = 0;
  const stop = new AbortController();
  const sending = (async (): Promise<void> => {
    const begunAt = performance.now();
    while (!stop.signal.aborted) {
      const due = Math.floor(((performance.now() - begunAt) / 1000) * eventsPerSecond);
      const messages = [];
      const lines: string[] = [];
      for (; sent < due; sent++) {
        const round = Math.floor(sent / customers);
        const event = orderOf(sent, `c${sent % customers}`, startAt + round * HOUR_MS + (sent % customers));
        const key = Buffer.from(event.customerId, "utf8");
        messages.push({ key, value: encoder.event(event), partition: partitionOf(key, shards) });
        lines.push(eventLine(event));
      }
      if (messages.length > 0) {
        await producer.send({ topic: `${servers.topicPrefix}orders`, acks: -1, messages });
        await write(out, lines.join(""));
      }
      await sleep(SLICE_MS);
    }
  })();
  // Whoever stops it is told; until then nothing goes unnoticed, because the counts won't fit.
  sending.catch(() => undefined);
  return {
    sent: () => sent,
    async stop() {
      stop.abort();
      await sending;
      await producer.disconnect();
      out.end();
      await finished(out);
      return sent;
    },
  };
}

async function write(out: WriteStream, text: string): Promise<void> {
  if (!out.write(text)) await once(out, "drain");
}

export interface Burst {
  readonly servers: Servers;
  readonly shards: number;
  /** One order of each of so many customers, from this one on. */
  readonly customers: number;
  readonly firstCustomer: number;
  /** Orders that were sent before: these are later ones. */
  readonly sent: number;
}

/** Orders as fast as they go; resolves when all are in the log. */
export async function sendBurst(burst: Burst): Promise<void> {
  const { servers, shards, customers, firstCustomer, sent } = burst;
  const encoder = await createAvroEncoder(registryOf(servers), servers.topicPrefix);
  const producer = kafkaClient(servers, createLogger("error")).producer({ idempotent: true });
  await producer.connect();
  try {
    const startAt = Date.now() - 60 * 24 * HOUR_MS;
    for (let i = 0; i < customers; i += BURST_RECORDS) {
      const messages = Array.from({ length: Math.min(BURST_RECORDS, customers - i) }, (_, j) => {
        const event = orderOf(sent + i + j, `c${firstCustomer + i + j}`, startAt + (sent + i + j) * STEP_MS);
        const key = Buffer.from(event.customerId, "utf8");
        return { key, value: encoder.event(event), partition: partitionOf(key, shards) };
      });
      await producer.send({ topic: `${servers.topicPrefix}orders`, acks: -1, messages });
    }
  } finally {
    await producer.disconnect();
  }
}

function orderOf(i: number, customerId: string, occurredAt: number): SimulatedEvent & { topic: "orders" } {
  return {
    topic: "orders",
    kind: "PLACED",
    eventId: `e${i}`,
    customerId,
    occurredAt: instant(occurredAt),
    orderId: `o${i}`,
    revision: 0,
    amountMinor: 1_000 + (Math.imul(i, 2_654_435_761) >>> 20) * 7,
    currency: "EUR",
    costMinor: 0,
    units: 1,
    categories: [],
    dueAt: null,
    referredBy: null,
  };
}
