import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes that are kept for later: in memory that all threads share, or in the scratch file. */
export type Piece =
  | { readonly kind: "memory"; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly path: string; readonly at: number; readonly length: number };

/** Keeps bytes in memory up to a limit, and what is more in a temporary file. Written by one thread, read by any. */
export class Scratch {
  readonly #limitBytes: number;
  #heldBytes = 0;
  #file: { readonly folder: string; readonly path: string; readonly descriptor: number } | null = null;
  #end = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The bytes must not be changed afterwards; to be read by other threads they must lie in shared memory. */
  keep(bytes: Uint8Array): Piece {
    if (this.#heldBytes + bytes.byteLength <= this.#limitBytes) {
      this.#heldBytes += bytes.byteLength;
      return { kind: "memory", bytes };
    }
    const { path, descriptor } = (this.#file ??= createFile());
    const at = this.#end;
    for (let done = 0; done < bytes.byteLength;) {
      done += writeSync(descriptor, bytes, done, bytes.byteLength - done, at + done);
    }
    this.#end += bytes.byteLength;
    return { kind: "file", path, at, length: bytes.byteLength };
  }

  /** A piece that nobody will read again: makes room in memory for others. */
  drop(piece: Piece): void {
    if (piece.kind === "memory") this.#heldBytes -= piece.bytes.byteLength;
  }

  /** Deletes the file. */
  close(): void {
    if (this.#file === null) return;
    closeSync(this.#file.descriptor);
    rmSync(this.#file.folder, { recursive: true, force: true });
    this.#file = null;
  }
}

function createFile(): { folder: string; path: string; descriptor: number } {
  const folder = mkdtempSync(join(tmpdir(), "clientela-"));
  const path = join(folder, "scratch");
  return { folder, path, descriptor: openSync(path, "w") };
}

const descriptors = new Map<string, number>();

/**
 * Up to `length` bytes of a piece from an offset on: a view where it is in memory.
 * @param into what is read from the file may be written here, if it has room
 */
export function readPiece(piece: Piece, from = 0, length = Infinity, into: Buffer | null = null): Uint8Array {
  if (piece.kind === "memory")
    return piece.bytes.subarray(from, Math.min(piece.bytes.byteLength, from + length));
  let descriptor = descriptors.get(piece.path);
  if (descriptor === undefined) descriptors.set(piece.path, (descriptor = openSync(piece.path, "r")));
  const size = Math.min(length, piece.length - from);
  const bytes = into !== null && into.length >= size ? into.subarray(0, size) : Buffer.allocUnsafeSlow(size);
  for (let done = 0; done < bytes.length;) {
    const read = readSync(descriptor, bytes, done, bytes.length - done, piece.at + from + done);
    if (read === 0) throw new Error(`${piece.path} ends too early`);
    done += read;
  }
  return bytes;
}

export function lengthOf(piece: Piece): number {
  return piece.kind === "memory" ? piece.bytes.byteLength : piece.length;
}
