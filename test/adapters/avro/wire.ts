import { createAvroDecoder } from "../../../src/adapters/avro/decoder.ts";
import { createMemoryRegistry } from "../../../src/adapters/avro/memory-registry.ts";
import type { SchemaSource } from "../../../src/adapters/avro/registry.ts";
import {
  parseType,
  SCHEMA_TOPICS,
  schemaText,
  type SchemaTopic,
} from "../../../src/adapters/avro/schemas.ts";
import type { Decoded } from "../../../src/domain/accept.ts";
import type { FactTopic } from "../../../src/domain/events.ts";
import type { SourceRecord } from "../../../src/pipeline/ports.ts";

export interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly default?: unknown;
}

export interface Schema {
  readonly type: "record";
  readonly name: string;
  readonly namespace: string;
  readonly fields: readonly Field[];
}

export function ownSchema(topic: SchemaTopic): Schema {
  return JSON.parse(schemaText(topic)) as Schema;
}

/** Confluent framing: 0, the id, the body. */
export function frame(id: number, body: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(id, 1);
  return Buffer.concat([prefix, body]);
}

/** The body of a value as its writer's schema has it. */
export function bodyOf(schema: unknown, value: unknown): Buffer {
  return parseType(JSON.stringify(schema)).toBuffer(value);
}

type Given = Partial<Pick<SourceRecord, "key" | "headers">>;

/** A registry that holds this version's schemas, and a decoder over it. */
export interface Wire {
  readonly registry: SchemaSource;
  readonly ids: Readonly<Record<SchemaTopic, number>>;
  /** Registers what some other writer uses, under a subject of its own; returns its id. */
  writer(schema: unknown): Promise<number>;
  decode(topic: FactTopic, value: Uint8Array | null, given?: Given): Promise<Decoded>;
}

export async function openWire(): Promise<Wire> {
  const registry = createMemoryRegistry();
  const ids = {} as Record<SchemaTopic, number>;
  for (const topic of SCHEMA_TOPICS)
    ids[topic] = await registry.register(`${topic}-value`, schemaText(topic));
  const decoder = createAvroDecoder(registry);
  let writers = 0;
  return {
    registry,
    ids,
    writer: (schema) => registry.register(`writer-${writers++}`, JSON.stringify(schema)),
    async decode(topic, value, given = {}) {
      const key = Buffer.from("c1");
      return decoder.decode({
        topic,
        partition: 0,
        offset: 0,
        arrivedAt: null,
        key,
        value,
        headers: [],
        ...given,
      });
    },
  };
}

/** What is on the wire for an event: all fields of its schema. */
export const VALUES = {
  orders: {
    eventId: "e1",
    customerId: "c1",
    occurredAt: 1_736_000_000_000,
    orderId: "o1",
    kind: "PLACED",
    revision: 2,
    amountMinor: 4990,
    currency: "EUR",
    costMinor: 100,
    units: 3,
    categories: ["tea", "cups"],
    dueAt: 1_738_000_000_000,
    referredBy: "c2",
    refundId: null,
  },
  inquiries: {
    eventId: "e1",
    customerId: "c1",
    occurredAt: 1_736_000_000_000,
    inquiryId: "i1",
    kind: "QUOTE",
    revision: 1,
    handlingCostMinor: 250,
    currency: "USD",
  },
  surveys: {
    eventId: "e1",
    customerId: "c1",
    occurredAt: 1_736_000_000_000,
    surveyId: "s1",
    score: 9,
    scaleMin: 1,
    scaleMax: 10,
    revision: 1,
  },
  customers: {
    eventId: "e1",
    customerId: "c1",
    occurredAt: 1_736_000_000_000,
    kind: "RECORDED",
    source: "crm",
    attributes: { channel: "GROCERY", canBuy: null },
  },
  referrals: {
    customerId: "c1",
    referredId: "c2",
    orderId: "o1",
    version: 7,
    spans: [{ at: 1_736_000_000_000, from: 1_736_000_000_000, until: null }],
  },
} as const satisfies Record<FactTopic, object>;
