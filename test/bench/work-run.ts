import { createAvroDecoder } from "../../src/adapters/avro/decoder.ts";
import { changeHeaders, createAvroEncoder } from "../../src/adapters/avro/encoder.ts";
import { createMemoryRegistry } from "../../src/adapters/avro/memory-registry.ts";
import { SCHEMA_TOPICS, schemaText } from "../../src/adapters/avro/schemas.ts";
import { createStateCodec } from "../../src/adapters/avro/state-codec.ts";
import { packingOf } from "../../src/adapters/kafka/shard-log.ts";
import { benchEvents } from "../../src/app/simulation/bench-events.ts";
import { newCustomer } from "../../src/domain/customer.ts";
import type { FactTopic } from "../../src/domain/events.ts";
import { Batch } from "../../src/pipeline/batch.ts";
import { CacheBudget } from "../../src/pipeline/customer-cache.ts";
import type { MergedRecord } from "../../src/pipeline/merge.ts";
import type { SourceRecord } from "../../src/pipeline/ports.ts";
import { SILENT_TELEMETRY } from "../../src/pipeline/telemetry.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import { testPolicy } from "../policy.ts";

/** Microseconds an event over the second half of the events; bytes a written state. */
export interface Work {
  /** Of all threads: the collector has some of its own. */
  readonly cpuMicros: number;
  readonly wallMicros: number;
  readonly changesPerEvent: number;
  readonly bytesPerState: number;
  /** Value of an input record. */
  readonly bytesPerRecord: number;
  /** Keys, values and headers of both output records. */
  readonly bytesPerChange: number;
  readonly heapMiB: number;
}

const SHARDS = 4;
/** As in production: records that are decoded at once, and records of a batch. */
const STEP = 1000;
const BATCH = 32_000;

const [events = 0, customers = 0] = process.argv.slice(2).map(Number);
const registry = createMemoryRegistry();
for (const topic of SCHEMA_TOPICS) await registry.register(`${topic}-value`, schemaText(topic));
const encoder = await createAvroEncoder(registry, "");
const decoder = createAvroDecoder(registry);
const codec = createStateCodec();
const policy = testPolicy();
const packings = Array.from({ length: SHARDS }, (_, shard) =>
  packingOf({ ...encoder, headers: (change) => changeHeaders(change, "/clientela/bench") }, shard),
);

/** The encoded records of all shards one after the other: they weigh nothing on the heap. */
class Backlog {
  readonly #bytes: Buffer;
  readonly #ends: Float64Array;
  readonly #keys: string[] = [];
  readonly #topics: FactTopic[] = [];
  #at = 0;

  constructor(count: number) {
    this.#bytes = Buffer.allocUnsafe(count * 160);
    this.#ends = new Float64Array(count);
  }

  add(topic: FactTopic, key: string, value: Buffer): void {
    value.copy(this.#bytes, this.#at);
    this.#at += value.length;
    this.#ends[this.#keys.length] = this.#at;
    this.#keys.push(key);
    this.#topics.push(topic);
  }

  get length(): number {
    return this.#keys.length;
  }

  get bytes(): number {
    return this.#at;
  }

  record(offset: number, partition: number): SourceRecord {
    const start = offset === 0 ? 0 : (this.#ends[offset - 1] ?? 0);
    return {
      topic: this.#topics[offset] ?? "orders",
      partition,
      offset,
      arrivedAt: null,
      key: Buffer.from(this.#keys[offset] ?? ""),
      value: this.#bytes.subarray(start, this.#ends[offset]),
      headers: [],
    };
  }
}

const backlogs = Array.from({ length: SHARDS }, () => new Backlog(events));
const startAt = instant(Date.UTC(2022, 0, 1));
for (const event of benchEvents({ seed: 1, customers, events, startAt, years: 3 })) {
  const shard = partitionOf(Buffer.from(event.customerId), SHARDS);
  backlogs[shard]?.add(event.topic, event.customerId, encoder.event(event));
}

const budget = new CacheBudget(Infinity);
const caches = backlogs.map(() => budget.open());
/** Batches in flight: what they hold lives as long as their commit. */
const inFlight = new Array<unknown>(SHARDS);
let seq = 0;
let changes = 0;
let states = 0;
let bytes = 0;
let outputBytes = 0;

async function decoded(
  backlog: Backlog,
  partition: number,
  from: number,
  to: number,
): Promise<MergedRecord[]> {
  const merged: MergedRecord[] = [];
  for (let offset = from; offset < to; offset++) {
    const record = backlog.record(offset, partition);
    const decoding = decoder.decode(record);
    const found = decoding instanceof Promise ? await decoding : decoding;
    if (found.kind !== "event") throw new Error(found.detail);
    merged.push({ record, decoded: found });
  }
  return merged;
}

async function work(shard: number, from: number, to: number): Promise<void> {
  const [backlog, cache, packing] = [backlogs[shard], caches[shard], packings[shard]];
  if (backlog === undefined || cache === undefined || packing === undefined) throw new Error("no such shard");
  const batch = new Batch(
    ++seq,
    0,
    {},
    {
      shard,
      policy,
      cache,
      codec,
      packing,
      telemetry: SILENT_TELEMETRY,
      now: () => instant(startAt + 3 * 365 * DAY_MS),
      outputsPerRecord: 0,
      quiet: false,
      silent: null,
    },
  );
  for (let at = from; at < to; at += STEP) {
    for (const customerId of batch.add(await decoded(backlog, shard, at, Math.min(at + STEP, to)))) {
      if (cache.get(customerId) === undefined) cache.add(newCustomer(customerId), batch.seq);
    }
  }
  const { output, writes } = batch.finish(null);
  changes += output.changes.length;
  states += writes.length;
  for (const { head } of writes) bytes += head?.byteLength ?? 0;
  for (const { change } of output.changes) outputBytes += sizeOf(change);
  for (const { segment } of output.segments) outputBytes += sizeOf(segment);
  inFlight[shard] = [output, writes];
}

/** As `packings` make it; null is a tombstone. */
function sizeOf(packed: unknown): number {
  if (packed === null) return 0;
  const {
    key,
    value,
    headers = {},
  } = packed as {
    key: string;
    value: Buffer;
    headers?: Record<string, string>;
  };
  const texts = [key, ...Object.entries(headers).flat()];
  return value.byteLength + texts.reduce((sum, each) => sum + Buffer.byteLength(each), 0);
}

async function workThrough(from: number, to: number): Promise<number> {
  let done = 0;
  for (let at = from; at < to; at += BATCH) {
    for (const [shard, backlog] of backlogs.entries()) {
      const end = Math.min(at + BATCH, to, backlog.length);
      if (end <= at) continue;
      await work(shard, at, end);
      done += end - at;
    }
  }
  return done;
}

const half = Math.floor(events / SHARDS / 2 / BATCH) * BATCH;
await workThrough(0, half);
[changes, states, bytes, outputBytes] = [0, 0, 0, 0];
const cpuBefore = process.cpuUsage();
const wallBefore = performance.now();
const done = await workThrough(half, events);
const cpu = process.cpuUsage(cpuBefore);
const figures: Work = {
  cpuMicros: (cpu.user + cpu.system) / done,
  wallMicros: ((performance.now() - wallBefore) * 1000) / done,
  changesPerEvent: changes / done,
  bytesPerState: bytes / states,
  bytesPerRecord: backlogs.reduce((sum, backlog) => sum + backlog.bytes, 0) / events,
  bytesPerChange: outputBytes / changes,
  heapMiB: process.memoryUsage().heapUsed / 2 ** 20,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
