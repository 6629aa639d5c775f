import { setTimeout as sleep } from "node:timers/promises";
import type { Message, Producer } from "kafkajs";
import { createAvroEncoder, type AvroEncoder } from "../../src/adapters/avro/encoder.ts";
import { kafkaClient, registryOf, type Servers } from "../../src/app/compose-kafka.ts";
import type { FactTopic } from "../../src/domain/events.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import type { Chronicle } from "./chronicle.ts";
import type { PlannedFact } from "./facts.ts";
import { LEDGER_HEADER, type Entry, type Ledger } from "./ledger.ts";
import { QUIET } from "./quiet.ts";

const TICK_MS = 100;
/** Records in one request of a burst. */
const SLICE = 1_000;
const RETRY_MS = 500;

/** Sends the planned facts at their times, again and again until the broker has said that it has them. */
export class FactProducer {
  readonly #servers: Servers;
  readonly #encoder: AvroEncoder;
  readonly #ledger: Ledger;
  readonly #chronicle: Chronicle;
  readonly #partitions: number;
  #producer: Producer | null = null;
  #burst: Entry[] = [];

  private constructor(
    servers: Servers,
    encoder: AvroEncoder,
    ledger: Ledger,
    chronicle: Chronicle,
    partitions: number,
  ) {
    this.#servers = servers;
    this.#encoder = encoder;
    this.#ledger = ledger;
    this.#chronicle = chronicle;
    this.#partitions = partitions;
  }

  static async create(
    servers: Servers,
    ledger: Ledger,
    chronicle: Chronicle,
    partitions: number,
  ): Promise<FactProducer> {
    const encoder = await createAvroEncoder(registryOf(servers), servers.topicPrefix);
    return new FactProducer(servers, encoder, ledger, chronicle, partitions);
  }

  /** Resolves when all facts are acknowledged; rejects when one can't be made into a record. */
  async run(facts: Iterable<PlannedFact>): Promise<void> {
    const { startedAt } = this.#chronicle;
    let due: Entry[] = [];
    for (const fact of facts) {
      const waitMs = startedAt + fact.at - Date.now();
      if (waitMs > 0) {
        await this.#send(due);
        due = [];
        await this.#send(this.#burst.splice(0));
        await sleep(Math.max(TICK_MS, waitMs));
      }
      due.push(this.#enter(fact));
      if (due.length >= SLICE) await this.#send(due.splice(0));
    }
    await this.#send(due);
    await this.#producer?.disconnect().catch(() => undefined);
  }

  /** Sends so many facts of a partition once more, in one go: its queues run full. */
  burst(partition: number, records: number): number {
    const known = this.#ledger.settledOf(partition);
    if (known.length === 0) return 0;
    for (let i = 0; i < records; i++) this.#burst.push(known[i % known.length]!);
    return records;
  }

  #enter(fact: PlannedFact): Entry {
    const topic: FactTopic = fact.event?.topic ?? "orders";
    const key = Buffer.from(keyOf(fact), "utf8");
    return this.#ledger.add(fact, topic, partitionOf(key, this.#partitions));
  }

  async #send(entries: readonly Entry[]): Promise<void> {
    for (let from = 0; from < entries.length; from += SLICE) {
      const slice = entries.slice(from, from + SLICE);
      const records = slice.map((entry) => ({ entry, message: this.#message(entry) }));
      for (let attempt = 1; ; attempt++) {
        try {
          await this.#attempt(records);
          break;
        } catch (error) {
          // Whether it is in the log nobody knows: it is sent again, and stands there twice, perhaps.
          this.#chronicle.count("sends without an answer");
          const why = error instanceof Error ? error.message : String(error);
          if (attempt === 1)
            this.#chronicle.tell(`producer: ${slice.length} records without an answer (${why}), again`);
          await this.#producer?.disconnect().catch(() => undefined);
          this.#producer = null;
          await sleep(RETRY_MS);
        }
      }
    }
  }

  async #attempt(records: readonly { entry: Entry; message: Message }[]): Promise<void> {
    if (this.#producer === null) {
      const producer = kafkaClient(this.#servers, QUIET).producer({
        idempotent: true,
        maxInFlightRequests: 1,
      });
      await producer.connect();
      this.#producer = producer;
    }
    const byTopic = new Map<FactTopic, { entry: Entry; message: Message }[]>();
    for (const record of records) {
      const list = byTopic.get(record.entry.topic) ?? [];
      byTopic.set(record.entry.topic, list);
      list.push(record);
    }
    const answers = await this.#producer.sendBatch({
      acks: -1,
      topicMessages: [...byTopic].map(([topic, list]) => ({
        topic: this.#servers.topicPrefix + topic,
        messages: list.map(({ message }) => message),
      })),
    });
    for (const [topic, list] of byTopic) {
      const next = new Map(
        answers
          .filter(({ topicName }) => topicName === this.#servers.topicPrefix + topic)
          .map(({ partition, baseOffset }) => [partition, Number(baseOffset)]),
      );
      for (const { entry } of list) {
        const offset = next.get(entry.partition);
        if (offset === undefined || offset < 0) throw new Error(`no offset for ${topic}-${entry.partition}`);
        this.#ledger.acknowledged(entry, offset);
        next.set(entry.partition, offset + 1);
      }
    }
  }

  #message(entry: Entry): Message {
    return {
      key: keyOf(entry),
      value: this.#valueOf(entry),
      partition: entry.partition,
      headers: { [LEDGER_HEADER]: String(entry.index) },
    };
  }

  #valueOf({ event, wire }: PlannedFact): Buffer {
    if (wire?.kind === "bytes") return wire.value;
    if (event === null) throw new Error("a record without an event says what its bytes are");
    const value = this.#encoder.event(event);
    if (wire?.kind === "schema") value.writeUInt32BE(wire.id, 1);
    return value;
  }
}

function keyOf({ customerId, wire }: PlannedFact): string {
  return wire?.kind === "key" ? wire.key : customerId;
}
