import { availableParallelism } from "node:os";
import type { EventFileProgress } from "../../adapters/embedded/event-files.ts";
import { Scratch, type Piece } from "../../adapters/embedded/scratch.ts";
import type { Policy } from "../../domain/policy.ts";
import type { Instant } from "../../shared/instant.ts";
import { throwIfInterrupted } from "../interrupted.ts";
import { crewOfOne, crewOfThreads, type Crew } from "./crew.ts";
import {
  dealOutReferrals,
  eachPart,
  memoryForReplay,
  readAll,
  type Read,
  type ReadOptions,
} from "./dealing.ts";
import { Parts, PARTS } from "./parts.ts";
import { OUTPUTS, type Output, type Runs } from "./replay-part.ts";
import { writeMerged, type LineSink } from "./sorted-runs.ts";

/** `asOf`: deadlines are applied up to here and later events are not seen (S7.1c); null: the newest `occurredAt`. */
export interface ReplayOptions extends ReadOptions {
  readonly policy: Policy;
  /** Where the results go that are wanted (I3). */
  readonly sinks: Readonly<Partial<Record<Output, LineSink>>>;
  /** Threads that fold; the result does not depend on it. Default: one for each core, none for a small file. */
  readonly threads?: number;
  /** What of lines and results is kept in memory, and not in a temporary file. Default: a quarter of what is free, at most 512 MiB. */
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

/**
 * Runs event files through the fold, as fast as it goes (I1 `replay`): all lines are dealt out by customer first, then each customer is
 * replayed from the first event to the last, and the results are put in order. Throws ClientelaError when the signal is raised before the
 * end: half a history has no result.
 */
export async function replay(options: ReplayOptions): Promise<Replayed> {
  const { policy, files, signal, sinks } = options;
  const outputs = OUTPUTS.filter((output) => sinks[output] !== undefined);
  const scratch = new Scratch(options.memoryBytes ?? memoryForReplay());
  const parts = new Parts(scratch);
  const crew: { ofThreads: Crew | null } = { ofThreads: null };
  try {
    const onProgress = (progress: EventFileProgress): void => {
      const threads = options.threads ?? (parts.bytes <= SMALL_BYTES ? 0 : defaultThreads());
      // They are ready by the time that all is read.
      if (threads > 0) crew.ofThreads ??= crewOfThreads(threads, policy, files, outputs);
      options.onProgress(halfOf(progress, 0));
    };
    const read = await readAll({ ...options, onProgress }, parts);
    const workers = crew.ofThreads ?? crewOfOne(policy, files, outputs);
    if (parts.mayRefer) await dealOutReferrals(parts, workers, read.asOf, signal);
    const result = await replayParts(options, parts, workers, scratch, read);
    for (const output of outputs) {
      const sink = sinks[output];
      if (sink !== undefined) await writeMerged(result.runs[output], sink, () => throwIfInterrupted(signal));
    }
    const { changes, deadLetters, later } = result;
    return { asOf: read.asOf, events: read.events, later, deadLetters, changes };
  } finally {
    await crew.ofThreads?.stop();
    scratch.close();
  }
}

/** Reading counts as half of the work, folding as the other. */
function halfOf({ lines, bytes, totalBytes }: EventFileProgress, folded: number): EventFileProgress {
  return totalBytes === null
    ? { lines, bytes, totalBytes }
    : { lines, bytes: (bytes + folded * totalBytes) / 2, totalBytes };
}

function defaultThreads(): number {
  return Math.min(availableParallelism(), GREATEST_THREADS);
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
  const runs = emptyRuns();
  // Those of one thread stay in their order, so lines of one customer do.
  const keep = (more: Runs): void => {
    for (const output of OUTPUTS) runs[output].push(...more[output].map((run) => keepRun(scratch, run)));
  };
  let [changes, deadLetters, later, done] = [0, 0, 0, 0];
  await eachPart(crew, signal, async (part) => {
    const pieces = parts.pieces(part);
    if (pieces.length > 0) {
      const result = await crew.replay(pieces, asOf);
      parts.drop(part);
      changes += result.changes;
      deadLetters += result.deadLetters;
      later += result.later;
      keep(result.runs);
    }
    onProgress(halfOf(progress, ++done / PARTS));
  });
  for (const rest of await crew.rest()) keep(rest);
  return { runs, changes, deadLetters, later };
}

function keepRun(scratch: Scratch, run: Uint8Array<ArrayBuffer>): Piece {
  const piece = scratch.keep(run);
  // This thread makes too little garbage for a collection to come by before all of them are here.
  if (piece.kind === "file") run.buffer.transfer(0);
  return piece;
}

function emptyRuns(): Record<Output, Piece[]> {
  return { changes: [], segments: [], timeline: [], deadLetters: [] };
}
