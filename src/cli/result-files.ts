import { createWriteStream } from "node:fs";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { ClientelaError, UsageError } from "../pipeline/errors.ts";
import type { CustomerSegment, Next, SegmentChange, Transition } from "../domain/change.ts";
import type { DeadLetter } from "../pipeline/ports.ts";
import { toIso, type Instant } from "../shared/instant.ts";

const CHUNK_CHARACTERS = 256 * 1024;

/** A result file of I3: one JSON object a line, written in large pieces. */
export class ResultFile {
  readonly #path: string;
  readonly #stream: Writable;
  #lines: string[] = [];
  #characters = 0;
  #error: Error | null = null;

  private constructor(path: string, stream: Writable) {
    this.#path = path;
    this.#stream = stream;
    stream.on("error", (error: Error) => (this.#error = error));
  }

  /** `-` is standard output. Throws UsageError when the file can't be written. */
  static async open(path: string): Promise<ResultFile> {
    if (path === "-") return new ResultFile(path, process.stdout);
    const stream = createWriteStream(path);
    try {
      await once(stream, "open");
    } catch (error) {
      throw new UsageError("OUTPUT", [
        `${path} can't be written: ${error instanceof Error ? error.message : String(error)}`,
      ]);
    }
    return new ResultFile(path, stream);
  }

  write(value: object): void {
    const line = JSON.stringify(value);
    this.#lines.push(line);
    this.#characters += line.length;
  }

  /** Writes on when enough has come together; waits when the reader is slow. */
  async drain(): Promise<void> {
    if (this.#characters >= CHUNK_CHARACTERS) await this.#flush();
  }

  /** Throws ClientelaError when not all could be written (the disk is full). */
  async close(): Promise<void> {
    await this.#flush();
    if (this.#path === "-") return;
    this.#stream.end();
    await finished(this.#stream).catch((error: unknown) => this.#fail(error));
  }

  async #flush(): Promise<void> {
    if (this.#error !== null) this.#fail(this.#error);
    if (this.#lines.length === 0) return;
    const text = this.#lines.join("\n") + "\n";
    this.#lines = [];
    this.#characters = 0;
    if (this.#stream.write(text)) return;
    await once(this.#stream, "drain").catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): never {
    throw new ClientelaError(
      "OUTPUT",
      `${this.#path} can't be written to its end: ${error instanceof Error ? error.message : String(error)}`,
      { retriable: false, cause: error },
    );
  }
}

function iso(at: Instant | null): string | null {
  return at === null ? null : toIso(at);
}

function nextLine(next: Next | null): object | null {
  return next === null ? null : { at: toIso(next.at), becomes: next.becomes, deadline: next.deadline };
}

function factsLine(facts: SegmentChange["facts"]): object {
  return {
    ...facts,
    firstOccasionAt: iso(facts.firstOccasionAt),
    lastOccasionAt: iso(facts.lastOccasionAt),
    lapseAt: iso(facts.lapseAt),
    accountSince: iso(facts.accountSince),
  };
}

/** A line of a changes file (S8, I3); a tombstone has the customer alone. */
export function changeLine(customerId: string, change: SegmentChange | null): object {
  if (change === null) return { customerId, tombstone: true };
  return {
    ...change,
    effectiveAt: toIso(change.effectiveAt),
    decidedAt: toIso(change.decidedAt),
    facts: factsLine(change.facts),
    next: nextLine(change.next),
  };
}

export function segmentLine(segment: CustomerSegment): object {
  const { customerId, asOf, classification, facts, next, seq, policy } = segment;
  return {
    customerId,
    asOf: toIso(asOf),
    classification,
    facts: factsLine(facts),
    next: nextLine(next),
    seq,
    policy,
  };
}

export function timelineLine({
  customerId,
  at,
  previous,
  current,
  cause,
}: Transition & { customerId: string }): object {
  return { customerId, at: toIso(at), previous, current, cause };
}

/** A line of a dead-letters file; what could be read as JSON stays JSON, the rest is base64. */
export function deadLetterLine({ record, reason, message }: DeadLetter): object {
  const source = record.file ?? { topic: record.topic, partition: record.partition, offset: record.offset };
  const place = "name" in source ? { file: source.name, line: source.line } : source;
  const value = record.value === null ? null : Buffer.from(record.value);
  const event = value === null ? undefined : jsonOf(value);
  return event === undefined
    ? { reason, message, source: place, raw: value?.toString("base64") ?? null }
    : { reason, message, source: place, event };
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}
