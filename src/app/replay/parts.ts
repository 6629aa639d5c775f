import type { Piece, Scratch } from "../../adapters/embedded/scratch.ts";
import { hashOfId, type ScannedLine } from "../../adapters/embedded/line-scan.ts";
import type { GivenReferral } from "./customer-replay.ts";
import { entryBytes, FLAG_BITS, HEADER_BYTES, KNOWN_UTF8, MAY_REFER, REFERRAL } from "./part-entries.ts";

/** Customers are dealt out to so many parts by the hash of their id; a part is replayed at once, by one thread. */
export const PARTS = 256;

export function partOf(customerId: string): number {
  return hashOfId(customerId) % PARTS;
}

/** Lines of one part gather in blocks of this size, unless one is longer. */
const BLOCK_BYTES = 64 * 1024;

/** Memory that all threads share, seen in three ways. */
interface Block {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
}

function newBlock(bytes: number): Block {
  const memory = new SharedArrayBuffer(bytes);
  return { bytes: new Uint8Array(memory), words: new Uint32Array(memory), doubles: new Float64Array(memory) };
}

interface Part {
  block: Block | null;
  used: number;
  readonly pieces: Piece[];
}

/** All lines by part, in their order. */
export class Parts {
  readonly #scratch: Scratch;
  readonly #parts: readonly Part[] = Array.from({ length: PARTS }, () => ({
    block: null,
    used: 0,
    pieces: [],
  }));
  /** Some line may name a referrer. */
  mayRefer = false;
  bytes = 0;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  add({ file, line, isKnownUtf8, hash, mayRefer }: ScannedLine, position: number): void {
    if (mayRefer) this.mayRefer = true;
    const flags = (isKnownUtf8 ? KNOWN_UTF8 : 0) | (mayRefer ? MAY_REFER : 0);
    this.#write(line.bytes, file, flags, hash, line.number, position, line.cutFromBytes);
  }

  /** Files a referral with its referrer, right behind the line that it comes from. Those of one line must come in their order. */
  addReferral({ referral, at, position }: GivenReferral): void {
    const bytes = Buffer.from(JSON.stringify(referral));
    this.#write(bytes, 0, KNOWN_UTF8 | REFERRAL, hashOfId(referral.customerId), at, position + 0.5, null);
  }

  /** What a part has so far; it may still grow. */
  pieces(part: number): readonly Piece[] {
    const of = this.#part(part);
    if (of.block !== null && of.used > 0) this.#seal(of, of.block);
    of.block = null;
    return of.pieces;
  }

  /** Frees a part. */
  drop(part: number): void {
    for (const piece of this.#part(part).pieces.splice(0)) this.#scratch.drop(piece);
  }

  #write(
    bytes: Buffer,
    file: number,
    flags: number,
    hash: number,
    line: number,
    position: number,
    cutFromBytes: number | null,
  ): void {
    const part = this.#part(hash % PARTS);
    const length = entryBytes(bytes.length);
    const block = this.#room(part, length);
    const { used } = part;
    block.words[used >> 2] = bytes.length;
    block.words[(used >> 2) + 1] = (file << FLAG_BITS) | flags;
    block.words[(used >> 2) + 2] = hash;
    block.doubles[(used >> 3) + 2] = line;
    block.doubles[(used >> 3) + 3] = position;
    block.doubles[(used >> 3) + 4] = cutFromBytes ?? -1;
    block.bytes.set(bytes, used + HEADER_BYTES);
    part.used += length;
    this.bytes += length;
  }

  /** A block of the part with room for so many bytes more. */
  #room(part: Part, length: number): Block {
    let { block } = part;
    if (block !== null && part.used + length > block.bytes.length) {
      const piece = this.#seal(part, block);
      // What has been written to the file may be written over.
      if (piece.kind === "memory" || length > block.bytes.length) block = null;
    }
    return (part.block = block ?? newBlock(Math.max(BLOCK_BYTES, length)));
  }

  #seal(part: Part, { bytes }: Block): Piece {
    const piece = this.#scratch.keep(bytes.subarray(0, part.used));
    part.pieces.push(piece);
    part.used = 0;
    return piece;
  }

  #part(part: number): Part {
    const found = this.#parts[part];
    if (found === undefined) throw new Error(`there is no part ${part} of ${PARTS}`);
    return found;
  }
}
