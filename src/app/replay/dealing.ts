import { availableMemory } from "node:process";
import { scanEventFiles, type EventFileProgress } from "../../adapters/embedded/event-files.ts";
import { instant, type Instant } from "../../shared/instant.ts";
import { throwIfInterrupted } from "../interrupted.ts";
import type { Crew } from "./crew.ts";
import { Newest } from "./newest.ts";
import { PARTS, type Parts } from "./parts.ts";

const GREATEST_MEMORY_BYTES = 2 ** 29;

/** Bytes of lines and results that are kept in memory. */
export function memoryForReplay(): number {
  return Math.min(GREATEST_MEMORY_BYTES, Math.floor(availableMemory() / 4));
}

export interface ReadOptions {
  readonly files: readonly string[];
  readonly asOf: Instant | null;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: EventFileProgress) => void;
}

export interface Read {
  readonly asOf: Instant;
  /** Lines that are not blank. */
  readonly events: number;
  readonly progress: EventFileProgress;
}

/**
 * Deals out all lines by customer.
 * @param asOf null: the newest event
 */
export async function readAll({ files, asOf, signal, onProgress }: ReadOptions, parts: Parts): Promise<Read> {
  const reading = await scanEventFiles(files);
  const newest = asOf === null ? new Newest() : null;
  let events = 0;
  // Who waits for standard input would not see the signal.
  const giveUp = (): void => void process.stdin.destroy();
  if (files.includes("-")) signal.addEventListener("abort", giveUp, { once: true });
  try {
    for await (const lines of reading) {
      throwIfInterrupted(signal);
      for (const line of lines) parts.add(line, events++);
      newest?.look(lines);
      onProgress(reading.progress());
    }
  } catch (error) {
    throwIfInterrupted(signal);
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
  return { asOf: asOf ?? newest?.at ?? instant(0), events, progress: reading.progress() };
}

/** Has something done for each part, by as many as the crew can. */
export async function eachPart(
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
export async function dealOutReferrals(
  parts: Parts,
  crew: Crew,
  asOf: Instant,
  signal: AbortSignal,
): Promise<void> {
  await eachPart(crew, signal, async (part) => {
    const pieces = parts.pieces(part);
    if (pieces.length === 0) return;
    for (const given of await crew.referrals(pieces, asOf)) parts.addReferral(given);
  });
}
