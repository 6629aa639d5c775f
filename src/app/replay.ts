import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createVirtualClock } from "../adapters/embedded/clock.ts";
import { readEventFiles, type EventFileProgress, type EventFiles } from "../adapters/embedded/event-files.ts";
import type { NewRecord } from "../adapters/embedded/embedded-log.ts";
import type { CustomerSegment, SegmentChange, Transition } from "../domain/change.ts";
import { segmentAt } from "../domain/explain.ts";
import type { Policy } from "../domain/policy.ts";
import { timeline } from "../domain/timeline.ts";
import { ClientelaError, UsageError } from "../pipeline/errors.ts";
import type { DeadLetter } from "../pipeline/ports.ts";
import { instant, type Instant } from "../shared/instant.ts";
import { startEmbedded, type EmbeddedEngine } from "./compose-embedded.ts";

export interface ReplayOptions {
  readonly files: readonly string[];
  /** Deadlines are applied up to here and later events are not seen (S7.1c); null: the newest `occurredAt`. */
  readonly asOf: Instant | null;
  readonly policy: Policy;
  readonly signal: AbortSignal;
  /** A tombstone has a null change (S2.5). May hold the replay back. */
  onChange(customerId: string, change: SegmentChange | null): void;
  onDeadLetter(deadLetter: DeadLetter): void;
  onProgress(progress: EventFileProgress): void;
  /** Called after each batch: a writer may hold the replay back. */
  drain(): void | Promise<void>;
}

/** A replay that has come to its end, to be asked for what is in force. */
export interface Replayed {
  readonly asOf: Instant;
  readonly events: number;
  /** Events after `asOf`, which were not seen. */
  readonly later: number;
  readonly deadLetters: number;
  readonly changes: number;
  segments(): AsyncIterable<CustomerSegment>;
  timeline(): AsyncIterable<Transition & { readonly customerId: string }>;
  stop(): Promise<void>;
}

/**
 * Runs event files through the embedded composition, as fast as it goes (I1 `replay`). Throws ClientelaError when the signal is
 * raised before all is read: half a history has no result.
 */
export async function replay(options: ReplayOptions): Promise<Replayed> {
  const { asOf } = options;
  if (asOf !== null) return replayUpTo(asOf, await readEventFiles(options.files), options);
  return withRereadable(options, async (open) =>
    replayUpTo(await newestOf(await open(), options.signal), await open(), options),
  );
}

async function replayUpTo(asOf: Instant, files: EventFiles, options: ReplayOptions): Promise<Replayed> {
  const { policy, signal } = options;
  // Time stands still until all is read, so that no deadline is applied before an event that precedes it.
  const clock = createVirtualClock(instant(0));
  let changes = 0;
  let deadLetters = 0;
  const lastSeq = new Map<string, number>();
  const engine = await startEmbedded({
    policy,
    clock,
    shard: { origin: "REPLAY", decidedAt: asOf, forget: false },
    onCommitted(output) {
      for (const { customerId, change } of output.changes) {
        changes++;
        if (change === null) lastSeq.delete(customerId);
        else lastSeq.set(customerId, change.seq);
        options.onChange(customerId, change);
      }
      for (const deadLetter of output.deadLetters) {
        deadLetters++;
        options.onDeadLetter(deadLetter);
      }
      return options.drain();
    },
  });
  let events = 0;
  let later = 0;
  for await (const records of files) {
    throwIfInterrupted(signal);
    const seen = records.filter((record) => isSeen(record, asOf));
    later += records.length - seen.length;
    events += records.length;
    await engine.append(seen);
    options.onProgress(files.progress());
  }
  await engine.settle();
  clock.advanceTo(asOf);
  await engine.settle();
  return {
    asOf,
    events,
    later,
    deadLetters,
    changes,
    segments: () => segmentsOf(engine, policy, asOf, lastSeq),
    timeline: () => timelineOf(engine, policy, asOf),
    stop: () => engine.stop(),
  };
}

function isSeen({ decoded }: NewRecord, asOf: Instant): boolean {
  return decoded?.kind !== "event" || decoded.event.topic === "referrals" || decoded.event.occurredAt <= asOf;
}

/** Throws what a command that was stopped halfway ends with. */
export function throwIfInterrupted(signal: AbortSignal): void {
  if (signal.aborted) {
    throw new ClientelaError(
      "INTERRUPTED",
      "stopped before the end: what was written so far is not the result",
      {
        retriable: false,
      },
    );
  }
}

/** The newest `occurredAt` so far. */
export function newestInstant(before: Instant, records: readonly NewRecord[]): Instant {
  let newest = before;
  for (const { decoded } of records) {
    if (decoded?.kind !== "event" || decoded.event.topic === "referrals") continue;
    if (decoded.event.occurredAt > newest) newest = decoded.event.occurredAt;
  }
  return newest;
}

async function newestOf(files: EventFiles, signal: AbortSignal): Promise<Instant> {
  let newest = instant(0);
  for await (const records of files) {
    throwIfInterrupted(signal);
    newest = newestInstant(newest, records);
  }
  return newest;
}

/**
 * Without a stated instant the files are read twice: their newest event says where the run ends. Standard input is kept in a
 * temporary file for that.
 */
async function withRereadable<T>(
  { files, signal }: ReplayOptions,
  work: (open: () => Promise<EventFiles>) => Promise<T>,
): Promise<T> {
  const once = files.filter((path) => path !== "-" && isReadOnce(path));
  if (once.length > 0) {
    throw new UsageError(
      "EVENT_FILES",
      once.map((path) => `${path} can be read only once: state --as-of, or give it on standard input`),
    );
  }
  if (!files.includes("-")) return work(() => readEventFiles(files));
  const folder = mkdtempSync(join(tmpdir(), "clientela-"));
  const spool = join(folder, "stdin");
  try {
    // Whatever else can't be read is told before anybody waits for standard input.
    await readEventFiles(files);
    await pipeline(process.stdin, createWriteStream(spool), { signal }).catch((error: unknown) => {
      throwIfInterrupted(signal);
      throw error;
    });
    return await work(() => readEventFiles(files, { stdin: createReadStream(spool) }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isReadOnce(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

async function* segmentsOf(
  engine: EmbeddedEngine,
  policy: Policy,
  asOf: Instant,
  lastSeq: ReadonlyMap<string, number>,
): AsyncGenerator<CustomerSegment> {
  for await (const customer of engine.customers()) {
    const segment = segmentAt(customer, asOf, policy);
    if (segment === null) continue;
    const { customerId } = customer.state;
    yield {
      customerId,
      asOf,
      ...segment,
      seq: lastSeq.get(customerId) ?? 0,
      policy: { version: policy.version, hash: policy.hash },
    };
  }
}

async function* timelineOf(
  engine: EmbeddedEngine,
  policy: Policy,
  asOf: Instant,
): AsyncGenerator<Transition & { readonly customerId: string }> {
  for await (const customer of engine.customers()) {
    const { customerId } = customer.state;
    for (const transition of timeline(customer, asOf, policy)) yield { customerId, ...transition };
  }
}
