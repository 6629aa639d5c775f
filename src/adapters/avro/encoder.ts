import type { Resolver, Type } from "avsc";
import type { CustomerSegment, SegmentChange } from "../../domain/change.ts";
import type { CustomerEvent } from "../../domain/events.ts";
import { RefusedError } from "../../pipeline/errors.ts";
import { toIso } from "../../shared/instant.ts";
import { OutputWriter } from "./output-writer.ts";
import type { SchemaSource } from "./registry.ts";
import { ownType, parseType, SCHEMA_TOPICS, schemaText, type SchemaTopic } from "./schemas.ts";

/** Records of all topics as bytes in Confluent framing. */
export interface AvroEncoder {
  event(event: CustomerEvent): Buffer;
  change(change: SegmentChange): Buffer;
  segment(segment: CustomerSegment): Buffer;
}

/** Looks all ids up once. Throws RefusedError when a schema is not registered, RetriableError when the registry can't be asked. */
export async function createAvroEncoder(registry: SchemaSource, prefix: string): Promise<AvroEncoder> {
  const ids = new Map<SchemaTopic, number>();
  const missing: string[] = [];
  for (const topic of SCHEMA_TOPICS) {
    const subject = subjectOf(prefix, topic);
    const id = await registry.idOf(subject, schemaText(topic));
    if (id === null) missing.push(subject);
    else ids.set(topic, id);
  }
  if (missing.length > 0) {
    throw new RefusedError(
      "SCHEMA_NOT_REGISTERED",
      `the registry does not hold this version's schema of ${missing.join(", ")}: run 'clientela setup'`,
    );
  }
  const encode = (topic: SchemaTopic, value: unknown): Buffer =>
    framed(ownType(topic), ids.get(topic) ?? 0, value);
  const outputs = new OutputWriter(ids.get("segment-changes") ?? 0, ids.get("customer-segments") ?? 0);
  return {
    event: (event) => encode(event.topic, withoutAbsent(event)),
    change: (change) => outputs.change(change),
    segment: (segment) => outputs.segment(segment),
  };
}

/** TopicNameStrategy. */
export function subjectOf(prefix: string, topic: SchemaTopic): string {
  return `${prefix}${topic}-value`;
}

let scratch = Buffer.allocUnsafe(16_384);

function framed(type: Type, id: number, value: unknown): Buffer {
  scratch[0] = 0;
  scratch.writeUInt32BE(id, 1);
  let end = type.encode(value, scratch, 5);
  while (end < 0) {
    // A negative end says by how much the buffer is too small.
    scratch = Buffer.allocUnsafe(Math.max(scratch.length * 2, scratch.length - end));
    scratch[0] = 0;
    scratch.writeUInt32BE(id, 1);
    end = type.encode(value, scratch, 5);
  }
  return Buffer.from(scratch.subarray(0, end));
}

/** A closing has none of PLACED's fields: the schema wants its defaults. */
function withoutAbsent(event: CustomerEvent): unknown {
  if (event.topic !== "orders")
    return event.topic === "customers" && event.kind === "ERASED" ? { ...event, attributes: {} } : event;
  return {
    amountMinor: null,
    currency: null,
    costMinor: 0,
    units: 0,
    categories: [],
    dueAt: null,
    referredBy: null,
    refundId: null,
    ...event,
  };
}

/** CloudEvents 1.0 in binary mode, plus what subscribers filter by (A6); no more headers than these. */
export function changeHeaders(change: SegmentChange, source: string): Record<string, string> {
  return {
    ce_id: change.changeId,
    ce_type: "clientela.segment-change.v1",
    ce_source: source,
    ce_specversion: "1.0",
    ce_time: toIso(change.effectiveAt),
    changed: change.changed.join(","),
    origin: change.origin,
  };
}

/** Reads a change as it was published, by this or another version. Throws on bytes that are none. */
export async function decodeChange(registry: SchemaSource, value: Buffer): Promise<SegmentChange> {
  return (await decodeOutput(registry, "segment-changes", value)) as SegmentChange;
}

interface OutputReading {
  readonly type: Type;
  readonly resolver: Resolver;
}

/** By registry, because ids mean something only there; then by topic and writer id. */
const outputReadings = new WeakMap<SchemaSource, Map<string, OutputReading>>();

async function decodeOutput(registry: SchemaSource, topic: SchemaTopic, value: Buffer): Promise<unknown> {
  if (value.length < 5 || value[0] !== 0)
    throw new Error(`a record of ${topic} does not begin with a schema id`);
  const id = value.readUInt32BE(1);
  const key = `${topic} ${id}`;
  const readings = outputReadings.get(registry) ?? new Map<string, OutputReading>();
  outputReadings.set(registry, readings);
  let reading = readings.get(key);
  if (reading === undefined) {
    const text = await registry.schemaById(id);
    if (text === null) throw new Error(`the registry has no schema ${id}`);
    const type = ownType(topic);
    reading = { type, resolver: type.createResolver(parseType(text)) };
    readings.set(key, reading);
  }
  return reading.type.fromBuffer(value.subarray(5), reading.resolver);
}
