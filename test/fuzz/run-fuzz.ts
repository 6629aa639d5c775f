import { createAvroDecoder } from "../../src/adapters/avro/decoder.ts";
import { createAvroEncoder, decodeChange } from "../../src/adapters/avro/encoder.ts";
import { createStateCodec } from "../../src/adapters/avro/state-codec.ts";
import { createVirtualClock } from "../../src/adapters/embedded/clock.ts";
import { EmbeddedLog, type NewRecord } from "../../src/adapters/embedded/embedded-log.ts";
import { createMemoryStateStore } from "../../src/adapters/embedded/memory-state-store.ts";
import { policyFromText, policyText } from "../../src/app/policy-file.ts";
import { loadCustomer } from "../../src/domain/customer.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import { DEFAULT_SHARD_OPTIONS } from "../../src/pipeline/options.ts";
import type { BatchOutput, StateStore } from "../../src/pipeline/ports.ts";
import { Processor } from "../../src/pipeline/processor.ts";
import { SILENT_TELEMETRY } from "../../src/pipeline/telemetry.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { openWire } from "../adapters/avro/wire.ts";
import { testPolicy } from "../policy.ts";
import { BEGIN_AT, foreignWriters, recordAt, type FuzzRecord, type Kind } from "./records.ts";

/** What a run came to. Records of `referrals` that the pipeline itself wrote count as records. */
export interface Account {
  records: number;
  /** What the records came to, by outcome and, for dead letters, by reason. */
  readonly outcomes: Record<string, number>;
  readonly kinds: Record<Kind | "referral", number>;
  changes: number;
  /** States that were written, read back and decoded. */
  states: number;
  largestStateBytes: number;
  peakMiB: number;
}

/** Something that must never happen, with what brings it about. */
export class FuzzFailure extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = "FuzzFailure";
  }
}

const POLICY = testPolicy();
const CHUNK = 1_000;
const RUN_MS = 60 * DAY_MS;
const SETTLE_MS = 60_000;
/** How far back the cause of a failure is looked for. */
const MOST_BEFORE = 32_000;
const ignore = (): void => undefined;
const LOGGER = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** One pipeline as the embedded composition has it, but with the decoder, the encoder and the bytes of production. */
export interface Pipeline {
  readonly account: Account;
  /** Appends, waits until all has been folded and committed, and checks that each record is accounted for. */
  put(records: readonly FuzzRecord[]): Promise<void>;
  stop(): Promise<void>;
}

export async function openPipeline(): Promise<Pipeline & { at(seed: number, index: number): FuzzRecord }> {
  const wire = await openWire();
  const foreign = await foreignWriters(wire);
  const encoder = await createAvroEncoder(wire.registry, "");
  const account: Account = {
    records: 0,
    outcomes: {},
    kinds: {
      sound: 0,
      extreme: 0,
      mutated: 0,
      random: 0,
      foreign: 0,
      frame: 0,
      attributes: 0,
      key: 0,
      referral: 0,
    },
    changes: 0,
    states: 0,
    largestStateBytes: 0,
    peakMiB: 0,
  };
  const count = (outcome: string, by: number): void => {
    account.outcomes[outcome] = (account.outcomes[outcome] ?? 0) + by;
  };
  const clock = createVirtualClock(instant(BEGIN_AT));
  let deadLetters = 0;
  const inForce = new Map<string, string>();
  const onCommitted = async (_shard: number, output: BatchOutput): Promise<void> => {
    for (const { customerId, change } of output.changes) {
      if (change === null) {
        inForce.delete(customerId);
        continue;
      }
      account.changes++;
      const read = await decodeChange(wire.registry, encoder.change(change));
      const [sent, got] = [JSON.stringify(sorted(change)), JSON.stringify(sorted(read))];
      if (sent !== got) throw new Error(`a change was sent as ${sent} and reads as ${got}`);
      follow(inForce, change);
    }
    for (const { segment } of output.segments) if (segment !== null) encoder.segment(segment);
    for (const referral of output.referrals) encoder.event(referral);
    account.kinds.referral += output.referrals.length;
    account.records += output.referrals.length;
    deadLetters += output.deadLetters.length;
    for (const { reason, message } of output.deadLetters) {
      count(`dead_letter ${reason}`, 1);
      if (message === "") throw new Error(`a dead letter (${reason}) says nothing`);
    }
  };
  const log = new EmbeddedLog({ shards: 1, clock, input: "endless", keep: "uncommitted", onCommitted });
  const processor = new Processor(
    {
      store: readingBack(createMemoryStateStore(), account),
      codec: createStateCodec(),
      decoder: createAvroDecoder(wire.registry),
      clock,
      telemetry: {
        ...SILENT_TELEMETRY,
        events: (_topic, outcome, times) => count(outcome, times),
      },
      logger: LOGGER,
      policy: POLICY,
      policies: { text: policyText, parse: policyFromText },
      options: { ...DEFAULT_SHARD_OPTIONS, commitIntervalMs: 0, sweepIntervalMs: 0, refreshMs: Infinity },
    },
    log.source(),
    SETTLE_MS,
  );
  await processor.start();
  return {
    account,
    at: (seed, index) => recordAt(seed, index, wire, foreign),
    async put(records) {
      for (const { kind } of records) account.kinds[kind]++;
      account.records += records.length;
      await within(Promise.race([log.append(records.map(({ record }) => record)), processor.ended]));
      await within(Promise.race([processor.settled(), processor.ended]));
      clock.advanceBy(Math.min(DAY_MS, RUN_MS / 100));
      await within(Promise.race([processor.settled(), processor.ended]));
      account.peakMiB = Math.max(account.peakMiB, Math.round(process.memoryUsage.rss() / 2 ** 20));
      assertAccountedFor(account, deadLetters);
    },
    stop: () => processor.stop(),
  };
}

/** A change follows the one that was published before (S8). */
function follow(
  inForce: Map<string, string>,
  { customerId, changeId, previous, current }: SegmentChange,
): void {
  const before = inForce.get(customerId) ?? "null";
  if (JSON.stringify(sorted(previous)) !== before)
    throw new Error(`change ${changeId} follows ${JSON.stringify(previous)}, published was ${before}`);
  inForce.set(customerId, JSON.stringify(sorted(current)));
}

/** With the fields of objects in the order of their names. */
function sorted(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, each]: [string, unknown]) => [name, sorted(each)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Every record came to exactly one thing, and every dead letter that was counted was also published. */
function assertAccountedFor({ records, outcomes }: Account, deadLetters: number): void {
  const total = Object.entries(outcomes)
    .filter(([name]) => !name.startsWith("dead_letter "))
    .reduce((sum, [, times]) => sum + times, 0);
  if (total !== records) throw new Error(`of ${records} records ${total} are accounted for`);
  if ((outcomes["dead_letter"] ?? 0) !== deadLetters)
    throw new Error(
      `${outcomes["dead_letter"] ?? 0} records were refused, ${deadLetters} dead letters published`,
    );
}

/** Every state that is written is read again: what a restart would find. */
function readingBack(store: StateStore, account: Account): StateStore {
  const codec = createStateCodec();
  return {
    ...store,
    async commit(shard, commit) {
      const result = await store.commit(shard, commit);
      const ids = commit.writes.filter(({ head }) => head !== null).map(({ customerId }) => customerId);
      const stored = await store.read(shard, ids);
      for (const [i, customerId] of ids.entries()) {
        const bytes = stored[i];
        if (bytes === null || bytes === undefined) throw new Error(`the state of ${customerId} is gone`);
        loadCustomer(codec.decode(customerId, bytes), POLICY);
        account.states++;
        let size = bytes.head.length;
        for (const chunk of bytes.chunks.values()) size += chunk.length;
        account.largestStateBytes = Math.max(account.largestStateBytes, size);
      }
      return result;
    },
  };
}

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${SETTLE_MS / 1000} s`)), SETTLE_MS);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs `records` records of a seed through one pipeline. Throws FuzzFailure with the fewest records that show what went wrong, as
 * hex.
 */
export async function fuzz(
  seed: number,
  records: number,
  onProgress: (account: Account) => void = ignore,
): Promise<Account> {
  const pipeline = await openPipeline();
  for (let from = 0; from < records; from += CHUNK) {
    const to = Math.min(records, from + CHUNK);
    try {
      await pipeline.put(range(from, to).map((index) => pipeline.at(seed, index)));
    } catch (error) {
      throw await failureOf(seed, from, to, error);
    }
    onProgress(pipeline.account);
  }
  await pipeline.stop();
  return pipeline.account;
}

async function failureOf(seed: number, from: number, to: number, error: unknown): Promise<FuzzFailure> {
  const fails = async (indices: readonly number[]): Promise<boolean> => {
    const pipeline = await openPipeline();
    try {
      await pipeline.put(indices.map((index) => pipeline.at(seed, index)));
      return false;
    } catch {
      return true;
    } finally {
      await pipeline.stop().catch(ignore);
    }
  };
  const fewest = await shrink(from, to, fails);
  const pipeline = await openPipeline();
  await pipeline.stop();
  const shown = fewest.map((index) => `  ${index}: ${shownRecord(pipeline.at(seed, index))}`);
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new FuzzFailure(
    `seed ${seed}, records ${from} to ${to}: ${what}\nshown by\n${shown.join("\n")}`,
    error,
  );
}

/** The fewest records that fail together: those of the chunk, with as much of what came before as it takes. */
export async function shrink(
  from: number,
  to: number,
  fails: (indices: readonly number[]) => Promise<boolean>,
): Promise<number[]> {
  let indices = range(from, to);
  for (let before = CHUNK; !(await fails(indices)); before *= 2) {
    // Not shown by these records alone, in a pipeline of their own: all of them are named.
    if (indices[0] === 0 || before > MOST_BEFORE) return range(from, to);
    indices = range(Math.max(0, from - before), to);
  }
  for (let size = Math.ceil(indices.length / 2); ; size = Math.ceil(size / 2)) {
    for (let i = 0; i < indices.length;) {
      const without = [...indices.slice(0, i), ...indices.slice(i + size)];
      if (without.length > 0 && (await fails(without))) indices = without;
      else i += size;
    }
    if (size <= 1) return indices;
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function shownRecord({ kind, record }: FuzzRecord): string {
  const { topic, key, value, headers }: NewRecord = record;
  const hex = (bytes: Uint8Array | null | undefined): string | null =>
    bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString("hex");
  return JSON.stringify({
    kind,
    topic,
    key: hex(key),
    value: hex(value),
    headers: headers?.map(([name, bytes]) => [name, hex(bytes)]),
  });
}
