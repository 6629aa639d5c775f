import { availableParallelism } from "node:os";
import { availableMemory } from "node:process";
import { scanEventFiles, type EventFileProgress } from "../../adapters/embedded/event-files.ts";
import { Scratch, type Piece } from "../../adapters/embedded/scratch.ts";
import type { Policy } from "../../domain/policy.ts";
import { instant, type Instant } from "../../shared/instant.ts";
import { throwIfInterrupted } from "../interrupted.ts";
import { crewOfOne, crewOfThreads, type Crew } from "./crew.ts";
import { Newest } from "./newest.ts";
import { Parts, PARTS } from "./parts.ts";
import { OUTPUTS, type Output } from "./replay-part.ts";
import { writeMerged, type LineSink } from "./sorted-runs.ts";

export interface ReplayOptions {
  readonly files: readonly string[];
  /** Deadlines are applied up to here and later events are not seen (S7.1c); null: the newest `occurredAt`. */
  readonly asOf: Instant | null;
  readonly policy: Policy;
  readonly signal: AbortSignal;
  /** Where the results go that are wanted (I3). */
  readonly sinks: Readonly<Partial<Record<Output, LineSink>>>;
  readonly onProgress: (progress: EventFileProgress) => void;
  /** Threads that fold; the result does not depend on it. Default: one for each core, none for a small file. */
  readonly threads?: number;
  /** What of lines and results is kept in memory, and not in a temporary file. Default: a quarter of what is free, at most 1 GiB. */
  readonly memoryBytes?: number;
}

/** What a replay came to. */
export interface Replayed {
  readonly asOf: Instant;
  readonly events: number;
  /** Events after `asOf`, which were not seen. */
  readonly later: number;
  readonly deadLetters: number;
  readonly changes: number;
}

/** What one thread has done by the time others have started. */
const SMALL_BYTES = 8 * 2 ** 20;
const GREATEST_THREADS = 8;
const GREATEST_MEMORY_BYTES = 2 ** 30;

/**
 * Runs event files through the fold, as fast as it goes (I1 `replay`): all lines are dealt out by customer first, then each customer is
 * replayed from the first event to the last, and the results are put in order. Throws ClientelaError when the signal is raised before the
 * end: half a history has no result.
 */
export async function replay(options: ReplayOptions): Promise<Replayed> {
  const { policy, files, signal, sinks } = options;
  const outputs = OUTPUTS.filter((output) => sinks[output] !== undefined);
  const limit = options.memoryBytes ?? Math.min(GREATEST_MEMORY_BYTES, Math.floor(availableMemory() / 4));
  const scratch = new Scratch(limit);
  let crew: Crew | null = null;
  try {
    const parts = new Parts(scratch);
    const read = await readAll(options, parts);
    const threads = options.threads ?? (parts.bytes <= SMALL_BYTES ? 0 : defaultThreads());
    crew = threads === 0 ? crewOfOne(policy, files, outputs) : crewOfThreads(threads, policy, files, outputs);
    if (parts.mayRefer) await dealOutReferrals(parts, crew, read.asOf, signal);
    const result = await replayParts(options, parts, crew, scratch, read);
    for (const output of outputs) {
      const sink = sinks[output];
      if (sink !== undefined) await writeMerged(result.runs[output], sink, () => throwIfInterrupted(signal));
    }
    const { changes, deadLetters, later } = result;
    return { asOf: read.asOf, events: read.events, later, deadLetters, changes };
  } finally {
    await crew?.stop();
    scratch.close();
  }
}

function defaultThreads(): number {
  return Math.min(availableParallelism(), GREATEST_THREADS);
}

interface Read {
  readonly asOf: Instant;
  /** Lines that are not blank. */
  readonly events: number;
  readonly progress: EventFileProgress;
}

async function readAll({ files, asOf, signal, onProgress }: ReplayOptions, parts: Parts): Promise<Read> {
  const reading = await scanEventFiles(files);
  const newest = asOf === null ? new Newest(files) : null;
  let events = 0;
  // Who waits for standard input would not see the signal.
  const giveUp = (): void => void process.stdin.destroy();
  if (files.includes("-")) signal.addEventListener("abort", giveUp, { once: true });
  try {
    for await (const lines of reading) {
      throwIfInterrupted(signal);
      for (const line of lines) parts.add(line, events++);
      newest?.look(lines);
      onProgress(halfOf(reading.progress(), 0));
    }
  } catch (error) {
    throwIfInterrupted(signal);
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
  return { asOf: asOf ?? newest?.at ?? instant(0), events, progress: reading.progress() };
}

/** Reading counts as half of the work, folding as the other. */
function halfOf({ lines, bytes, totalBytes }: EventFileProgress, folded: number): EventFileProgress {
  return totalBytes === null
    ? { lines, bytes, totalBytes }
    : { lines, bytes: (bytes + folded * totalBytes) / 2, totalBytes };
}

/** Has something done for each part, by as many as the crew can. */
async function eachPart(
  crew: Crew,
  signal: AbortSignal,
  work: (part: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const workOn = async (): Promise<void> => {
    while (next < PARTS) {
      throwIfInterrupted(signal);
      await work(next++);
    }
  };
  await Promise.all(Array.from({ length: crew.size }, workOn));
}

/** Files the referrals that orders give with the customers who are named by them (S3.8). */
async function dealOutReferrals(parts: Parts, crew: Crew, asOf: Instant, signal: AbortSignal): Promise<void> {
  await eachPart(crew, signal, async (part) => {
    const pieces = parts.pieces(part);
    if (pieces.length === 0) return;
    for (const given of await crew.referrals(pieces, asOf)) parts.addReferral(given);
  });
}

interface Results {
  readonly runs: Readonly<Record<Output, readonly Piece[]>>;
  readonly changes: number;
  readonly deadLetters: number;
  readonly later: number;
}

async function replayParts(
  { signal, onProgress }: ReplayOptions,
  parts: Parts,
  crew: Crew,
  scratch: Scratch,
  { asOf, progress }: Read,
): Promise<Results> {
  const byPart = Array.from({ length: PARTS }, () => emptyRuns());
  let [changes, deadLetters, later, done] = [0, 0, 0, 0];
  await eachPart(crew, signal, async (part) => {
    const pieces = parts.pieces(part);
    if (pieces.length > 0) {
      const result = await crew.replay(pieces, asOf);
      parts.drop(part);
      changes += result.changes;
      deadLetters += result.deadLetters;
      later += result.later;
      for (const output of OUTPUTS) {
        byPart[part]?.[output].push(...result.runs[output].map((run) => scratch.keep(run)));
      }
    }
    onProgress(halfOf(progress, ++done / PARTS));
  });
  const runs = emptyRuns();
  for (const of of byPart) for (const output of OUTPUTS) runs[output].push(...of[output]);
  return { runs, changes, deadLetters, later };
}

function emptyRuns(): Record<Output, Piece[]> {
  return { changes: [], segments: [], timeline: [], deadLetters: [] };
}
