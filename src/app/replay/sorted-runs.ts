import { lengthOf, readPiece, type Piece } from "../../adapters/embedded/scratch.ts";
import { compareUtf8 } from "../../shared/utf8-order.ts";

/** Where lines go in the end. */
export interface LineSink {
  /** Takes whole lines, which change afterwards; the promise holds the writer back. */
  write(lines: Uint8Array): void | Promise<void>;
}

/** A run grows hardly longer than this: then another is begun. Few runs are quickly merged, short ones are quickly sorted. */
const RUN_BYTES = 8 * 2 ** 20;
const FIRST_BYTES = 64 * 1024;
/** Before the id and the text of an entry: place as a double, their lengths as 32 bits each. */
const HEADER_BYTES = 16;
const NEWLINE = 0x0a;

/** Sorts lines by (place, customer); what has both in common stays in the order in which it was added. */
export class RunWriter {
  /** Entries as they were added: as bytes they are nothing to the garbage collector. */
  #added = Buffer.alloc(0);
  #used = 0;
  #starts: number[] = [];
  #places: number[] = [];
  #ids: string[] = [];
  #runs: Uint8Array<ArrayBuffer>[] = [];

  add(place: number, customerId: string, line: string): void {
    const start = this.#used;
    // UTF-8 takes at most three bytes for each UTF-16 unit.
    this.#makeRoom(HEADER_BYTES + 3 * (customerId.length + line.length) + 1);
    const added = this.#added;
    const idLength = added.write(customerId, start + HEADER_BYTES);
    const text = start + HEADER_BYTES + idLength;
    const textLength = added.write(line, text) + 1;
    added[text + textLength - 1] = NEWLINE;
    added.writeDoubleLE(place, start);
    added.writeUInt32LE(idLength, start + 8);
    added.writeUInt32LE(textLength, start + 12);
    this.#used = text + textLength;
    this.#starts.push(start);
    this.#places.push(place);
    this.#ids.push(customerId);
    if (this.#used > RUN_BYTES) this.#seal();
  }

  /** The lines so far that have not been taken yet. */
  takeAll(): Uint8Array<ArrayBuffer>[] {
    if (this.#used > 0) this.#seal();
    return this.takeFull();
  }

  /** Those of runs that can grow no further. */
  takeFull(): Uint8Array<ArrayBuffer>[] {
    const runs = this.#runs;
    this.#runs = [];
    return runs;
  }

  #makeRoom(bytes: number): void {
    if (this.#used + bytes <= this.#added.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, 2 * this.#added.length, this.#used + bytes));
    larger.set(this.#added.subarray(0, this.#used));
    this.#added = larger;
  }

  #seal(): void {
    const [starts, places, ids] = [this.#starts, this.#places, this.#ids];
    const order = Array.from(starts.keys());
    order.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0) || compareUtf8(ids[a] ?? "", ids[b] ?? ""));
    const run = Buffer.allocUnsafeSlow(this.#used);
    let at = 0;
    for (const i of order) {
      const entry = this.#added.subarray(starts[i], starts[i + 1] ?? this.#used);
      run.set(entry, at);
      at += entry.length;
    }
    this.#runs.push(run);
    this.#used = 0;
    this.#starts = [];
    this.#places = [];
    this.#ids = [];
  }
}

/** Bytes of a run in the scratch file that are read at once. */
const READ_BYTES = 256 * 1024;

/** Stands at one entry of a run after the other. */
class RunReader {
  readonly #piece: Piece;
  readonly #length: number;
  /** Of equal entries in two runs the one of the earlier run comes first. */
  readonly rank: number;
  /** What is in memory, and where in the run it begins. */
  #window: Buffer = Buffer.alloc(0);
  #windowAt = 0;
  /** For what is read from the file. */
  #space: Buffer = this.#window;
  /** Of the next entry, within the run. */
  #next = 0;
  place = 0;
  /** null: not read yet. Most lines differ by their places already. */
  #customerId: string | null = null;
  #idAt = 0;
  #textAt = 0;
  text: Uint8Array = this.#window;

  constructor(piece: Piece, rank: number) {
    this.#piece = piece;
    this.rank = rank;
    this.#length = lengthOf(piece);
  }

  get customerId(): string {
    return (this.#customerId ??= this.#window.toString("utf8", this.#idAt, this.#textAt));
  }

  /** False at the end. */
  advance(): boolean {
    if (this.#next >= this.#length) return false;
    const header = this.#need(HEADER_BYTES);
    const idLength = this.#window.readUInt32LE(header + 8);
    const length = HEADER_BYTES + idLength + this.#window.readUInt32LE(header + 12);
    const at = this.#need(length);
    this.place = this.#window.readDoubleLE(at);
    this.#customerId = null;
    this.#idAt = at + HEADER_BYTES;
    this.#textAt = this.#idAt + idLength;
    this.text = this.#window.subarray(this.#textAt, at + length);
    this.#next += length;
    return true;
  }

  /** Has so many bytes from the next entry on in memory; returns where in the window it begins. */
  #need(bytes: number): number {
    const at = this.#next - this.#windowAt;
    if (at + bytes <= this.#window.length) return at;
    const size = Math.max(bytes, READ_BYTES);
    if (this.#piece.kind === "file" && this.#space.length < size) this.#space = Buffer.allocUnsafeSlow(size);
    const view = readPiece(this.#piece, this.#next, size, this.#space);
    this.#window = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    this.#windowAt = this.#next;
    return 0;
  }
}

/** Writes the lines of all runs as one, in their order. */
export async function writeMerged(runs: readonly Piece[], sink: LineSink, check: () => void): Promise<void> {
  const heap = runs.map((piece, i) => new RunReader(piece, i)).filter((reader) => reader.advance());
  heap.sort(compare);
  for (;;) {
    const first = heap[0];
    if (first === undefined) return;
    const waits = sink.write(first.text);
    if (waits !== undefined) {
      await waits;
      check();
    }
    if (first.advance()) replaceFirst(heap, first);
    else {
      const last = heap.pop();
      if (last !== undefined && last !== first) replaceFirst(heap, last);
    }
  }
}

/** Puts a reader into the place of the first one, and the heap in order again. */
function replaceFirst(heap: RunReader[], reader: RunReader): void {
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    let below = heap[child];
    if (below === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && compare(right, below) < 0) [child, below] = [child + 1, right];
    if (compare(reader, below) <= 0) break;
    heap[index] = below;
    index = child;
  }
  heap[index] = reader;
}

function compare(a: RunReader, b: RunReader): number {
  return a.place - b.place || compareUtf8(a.customerId, b.customerId) || a.rank - b.rank;
}
