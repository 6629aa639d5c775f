import { createWriteStream } from "node:fs";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { LineSink } from "../app/replay/sorted-runs.ts";
import { ClientelaError, UsageError } from "../pipeline/errors.ts";

const CHUNK_BYTES = 512 * 1024;

/** A result file of I3: one JSON object a line, written in large pieces. */
export class ResultFile implements LineSink {
  readonly #path: string;
  readonly #stream: Writable;
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #used = 0;
  #error: Error | null = null;
  readonly #onError = (error: Error): void => void (this.#error = error);

  private constructor(path: string, stream: Writable) {
    this.#path = path;
    this.#stream = stream;
    stream.on("error", this.#onError);
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

  /** Takes whole lines; waits when a piece is full and the reader is slow. */
  write(lines: Uint8Array): void | Promise<void> {
    if (this.#used + lines.length <= CHUNK_BYTES) {
      this.#chunk.set(lines, this.#used);
      this.#used += lines.length;
      return;
    }
    return this.#flushBefore(lines);
  }

  /** Throws ClientelaError when not all could be written (the disk is full). */
  async close(): Promise<void> {
    await this.#flush();
    if (this.#path === "-") {
      this.#stream.off("error", this.#onError);
      return;
    }
    this.#stream.end();
    await finished(this.#stream).catch((error: unknown) => this.#fail(error));
  }

  async #flushBefore(lines: Uint8Array): Promise<void> {
    await this.#flush();
    if (lines.length <= CHUNK_BYTES) return this.write(lines);
    // The stream holds on to what it is given, and the giver does not.
    await this.#send(Buffer.from(lines));
  }

  async #flush(): Promise<void> {
    if (this.#used === 0) {
      if (this.#error !== null) this.#fail(this.#error);
      return;
    }
    const full = this.#chunk.subarray(0, this.#used);
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#used = 0;
    await this.#send(full);
  }

  async #send(bytes: Buffer): Promise<void> {
    if (this.#error !== null) this.#fail(this.#error);
    if (this.#stream.write(bytes)) return;
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
