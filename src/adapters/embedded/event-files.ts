import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { UsageError } from "../../pipeline/errors.ts";
import type { NewRecord } from "./embedded-log.ts";
import { recordOfLine } from "./event-line.ts";
import { LineScanner, type ScannedLine } from "./line-scan.ts";
import { LineSplitter, type Line } from "./line-splitter.ts";
import { mergeByInstant } from "./merge-files.ts";

/** Bytes read at once. */
const CHUNK_BYTES = 512 * 1024;
/** A longer line is refused; of it so much is kept for the dead letter. */
const GREATEST_LINE_BYTES = 2_000_000;
const KEPT_OF_LONG_LINE_BYTES = 4096;
/** All files are read side by side; each holds a chunk and its events in memory. */
const GREATEST_FILES = 256;

export interface EventFileOptions {
  /** What `-` stands for. Default: standard input. */
  readonly stdin?: Readable;
}

/** How far reading has come, for progress. */
export interface EventFileProgress {
  readonly lines: number;
  /** As stored: compressed bytes of a `.gz`. */
  readonly bytes: number;
  /** null: standard input is among them. */
  readonly totalBytes: number | null;
}

/**
 * The lines of event files (I2) in batches, as what they were read as. Several files are merged by `occurredAt`, so that files which
 * each are in order are read as if they had been one. To be iterated once.
 * @throws UsageError while iterating, when a file can't be read on (damaged `.gz`)
 */
export interface EventFiles<T = NewRecord> extends AsyncIterable<T[]> {
  progress(): EventFileProgress;
}

/** What reads the lines of one file. */
type LineReader<T> = (line: Line, isKnownUtf8: boolean) => T;

interface Source {
  readonly name: string;
  readonly path: string;
  /** null: standard input. */
  readonly sizeBytes: number | null;
  readonly splitter: LineSplitter;
  bytesRead(): number;
}

/**
 * Opens event files: plain, `.gz`, or `-` for standard input. Each line is read as its event or dead letter.
 * @throws UsageError that names every path which can't be read
 */
export async function readEventFiles(
  paths: readonly string[],
  options: EventFileOptions = {},
): Promise<EventFiles> {
  const reader =
    (_: number, name: string): LineReader<NewRecord> =>
    (line, isKnownUtf8) =>
      recordOfLine(name, line, isKnownUtf8);
  return readFiles(paths, options, reader, instantOf);
}

/** The same, of each line only what decides where it goes. */
export async function scanEventFiles(
  paths: readonly string[],
  options: EventFileOptions = {},
): Promise<EventFiles<ScannedLine>> {
  const reader = (file: number): LineReader<ScannedLine> => {
    const scanner = new LineScanner(file);
    return (line, isKnownUtf8) => scanner.scan(line, isKnownUtf8);
  };
  return readFiles(paths, options, reader, ({ at }) => at);
}

async function readFiles<T>(
  paths: readonly string[],
  options: EventFileOptions,
  readerOf: (file: number, name: string) => LineReader<T>,
  instantOf: (read: T) => number,
): Promise<EventFiles<T>> {
  const sources = await openAll(paths);
  const batches = sources.map((source, i) => readSource(source, options, readerOf(i, source.name)));
  const [only] = batches;
  const merged = batches.length === 1 && only !== undefined ? only : mergeByInstant(batches, instantOf);
  return {
    [Symbol.asyncIterator]: () => merged,
    progress: () => ({
      lines: sources.reduce((sum, { splitter }) => sum + splitter.linesRead, 0),
      bytes: sources.reduce((sum, source) => sum + source.bytesRead(), 0),
      totalBytes: sources.reduce<number | null>(
        (sum, { sizeBytes }) => (sum === null || sizeBytes === null ? null : sum + sizeBytes),
        0,
      ),
    }),
  };
}

/** What could not be read goes first, out of the way. */
function instantOf({ decoded }: NewRecord): number {
  return decoded?.kind === "event" && decoded.event.topic !== "referrals"
    ? decoded.event.occurredAt
    : -Infinity;
}

function nothingYet(): number {
  return 0;
}

async function openAll(paths: readonly string[]): Promise<Source[]> {
  const problems: string[] = [];
  if (paths.length === 0) problems.push("no event file is named");
  if (paths.length > GREATEST_FILES) problems.push(`more than ${GREATEST_FILES} event files are named`);
  if (paths.filter((path) => path === "-").length > 1) problems.push("- (standard input) is named twice");
  const sources = await Promise.all(
    paths.map(async (path): Promise<Source | null> => {
      const splitter = new LineSplitter(GREATEST_LINE_BYTES, KEPT_OF_LONG_LINE_BYTES);
      if (path === "-") return { name: "-", path, sizeBytes: null, splitter, bytesRead: nothingYet };
      try {
        const found = await stat(path);
        if (!found.isDirectory())
          return { name: path, path, sizeBytes: found.size, splitter, bytesRead: nothingYet };
        problems.push(`${path} is a directory`);
      } catch (error) {
        problems.push(`${path} can't be read: ${(error as Error).message}`);
      }
      return null;
    }),
  );
  if (problems.length > 0) throw new UsageError("EVENT_FILES", problems);
  return sources.filter((source) => source !== null);
}

async function* readSource<T>(
  source: Source,
  options: EventFileOptions,
  read: LineReader<T>,
): AsyncGenerator<T[], void> {
  try {
    for await (const chunk of streamOf(source, options)) {
      const lines = linesOf(source, chunk as Buffer | string, read);
      if (lines.length > 0) yield lines;
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError("EVENT_FILES", [
      `${source.name} can't be read after line ${source.splitter.linesRead}: ${(error as Error).message}`,
    ]);
  }
  const last = source.splitter.end().map((line) => read(line, false));
  if (last.length > 0) yield last;
}

function linesOf<T>(source: Source, chunk: Buffer | string, read: LineReader<T>): T[] {
  const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
  const lines = source.splitter.push(bytes);
  // Almost always the whole chunk is sound, and saying so once costs a tenth of asking line by line. A character cut in two
  // by the end of the chunk only means that the lines are asked.
  const isKnownUtf8 = isUtf8(bytes);
  return lines.map((line, i) => read(line, isKnownUtf8 && i > 0));
}

function streamOf(source: Source, options: EventFileOptions): Readable {
  if (source.path === "-") {
    const stdin = options.stdin ?? process.stdin;
    source.bytesRead = () =>
      "bytesRead" in stdin && typeof stdin.bytesRead === "number" ? stdin.bytesRead : 0;
    return stdin;
  }
  const file = createReadStream(source.path, { highWaterMark: CHUNK_BYTES });
  source.bytesRead = () => file.bytesRead;
  if (!source.path.endsWith(".gz")) return file;
  const unzipped = createGunzip({ chunkSize: CHUNK_BYTES });
  pipeline(file, unzipped, () => undefined);
  return unzipped;
}
