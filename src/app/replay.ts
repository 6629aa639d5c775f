import { createVirtualClock } from "../adapters/embedded/clock.ts";
import { readEventFiles, type EventFileProgress } from "../adapters/embedded/event-files.ts";
import type { NewRecord } from "../adapters/embedded/embedded-log.ts";
import type { CustomerSegment, SegmentChange, Transition } from "../domain/change.ts";
import { segmentAt } from "../domain/explain.ts";
import type { Policy } from "../domain/policy.ts";
import { timeline } from "../domain/timeline.ts";
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

/** Runs event files through the embedded composition, as fast as it goes (I1 `replay`). */
export async function replay(options: ReplayOptions): Promise<Replayed> {
  const { policy, signal } = options;
  const asOf = options.asOf ?? (await newestInstant(options));
  const files = await readEventFiles(options.files);
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
    if (signal.aborted) break;
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

/** Without a stated instant the files are read twice: their newest event says where the run ends. */
async function newestInstant({ files, signal }: ReplayOptions): Promise<Instant> {
  let newest = -Infinity;
  for await (const records of await readEventFiles(files)) {
    if (signal.aborted) break;
    for (const { decoded } of records) {
      if (decoded?.kind === "event" && decoded.event.topic !== "referrals") {
        newest = Math.max(newest, decoded.event.occurredAt);
      }
    }
  }
  return instant(newest === -Infinity ? 0 : newest);
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
