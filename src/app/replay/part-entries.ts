import { readPiece, type Piece } from "../../adapters/embedded/scratch.ts";

/** Before the bytes of an entry: length, file and flags, hash of the id (32 bits each), then line, position and full length as doubles. */
export const HEADER_BYTES = 40;
export const KNOWN_UTF8 = 1;
export const MAY_REFER = 2;
export const REFERRAL = 4;
export const FLAG_BITS = 3;

/** A line of an event file, or a referral that another customer's order has given, as a part keeps it. */
export interface Entry {
  /** Place of its file among those given. */
  readonly file: number;
  /** Of a referral: `occurredAt` of the event that it comes from. */
  readonly line: number;
  /** Place among all lines in the order in which they are read. A referral comes right after the line that gave it. */
  readonly position: number;
  /** Where its bytes are. A view of its own for each line would take longer than to read the line's instants. */
  readonly block: Buffer;
  readonly start: number;
  readonly end: number;
  /** Length of a line that was too long to be kept; null: all of it is here. */
  readonly cutFromBytes: number | null;
  readonly isKnownUtf8: boolean;
  readonly isReferral: boolean;
}

/** Bytes that an entry takes, with its header; the next one begins at a multiple of eight. */
export function entryBytes(length: number): number {
  return HEADER_BYTES + length + (-length & 7);
}

interface Block {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
}

/** An entry's place in its block, in units of eight bytes, takes less than this: blocks have little more than a long line. */
const PLACES = 2 ** 18;

/** The entries of a part by customer. They are read when they are asked for: what is read of one customer is gone before the next. */
export class PartEntries {
  readonly #blocks: readonly Block[];
  /** Where the entries are, in their order, by the hash of the id: number of the block and place in it. */
  readonly #byHash = new Map<number, number[]>();
  readonly #referring = new Set<number>();

  constructor(pieces: readonly Piece[]) {
    this.#blocks = pieces.map((piece): Block => {
      const { buffer, byteOffset, byteLength } = readPiece(piece);
      return {
        bytes: Buffer.from(buffer, byteOffset, byteLength),
        words: new Uint32Array(buffer, byteOffset, byteLength >> 2),
        doubles: new Float64Array(buffer, byteOffset, byteLength >> 3),
      };
    });
    for (const [i, { bytes, words }] of this.#blocks.entries()) {
      for (let at = 0; at < bytes.length; at += entryBytes(words[at >> 2] ?? 0)) {
        const hash = words[(at >> 2) + 2] ?? 0;
        const place = i * PLACES + (at >> 3);
        const known = this.#byHash.get(hash);
        if (known === undefined) this.#byHash.set(hash, [place]);
        else known.push(place);
        if (((words[(at >> 2) + 1] ?? 0) & MAY_REFER) !== 0) this.#referring.add(hash);
      }
    }
  }

  /** Hashes of ids; two customers may have one. */
  get hashes(): Iterable<number> {
    return this.#byHash.keys();
  }

  /** Those of customers of whom some line may name a referrer. */
  get referring(): Iterable<number> {
    return this.#referring;
  }

  entriesOf(hash: number): Entry[] {
    return (this.#byHash.get(hash) ?? []).map((place) => this.#read(place));
  }

  #read(place: number): Entry {
    const block = this.#blocks[Math.floor(place / PLACES)];
    if (block === undefined) throw new Error("a part has no such block");
    const at = (place % PLACES) * 8;
    const { bytes, words, doubles } = block;
    const fileAndFlags = words[(at >> 2) + 1] ?? 0;
    const cutFromBytes = doubles[(at >> 3) + 4] ?? 0;
    const start = at + HEADER_BYTES;
    return {
      file: fileAndFlags >>> FLAG_BITS,
      line: doubles[(at >> 3) + 2] ?? 0,
      position: doubles[(at >> 3) + 3] ?? 0,
      block: bytes,
      start,
      end: start + (words[at >> 2] ?? 0),
      cutFromBytes: cutFromBytes < 0 ? null : cutFromBytes,
      isKnownUtf8: (fileAndFlags & KNOWN_UTF8) !== 0,
      isReferral: (fileAndFlags & REFERRAL) !== 0,
    };
  }
}
