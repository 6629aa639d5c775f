import { lengthOf, readPiece, type Piece } from "../../adapters/embedded/scratch.ts";
import { compareUtf8 } from "../../shared/utf8-order.ts";

/** Where lines go in the end. */
export interface LineSink {
  /** Takes whole lines, which change afterwards; the promise holds the writer back. */
  write(lines: Uint8Array): void | Promise<void>;
}

/** A run grows no longer than this (UTF-16 units): then another is begun. */
const RUN_CHARACTERS = 32 * 2 ** 20;
/** Before the id and the text of an entry: place as a double, their lengths as 32 bits each. */
const HEADER_BYTES = 16;

/** Sorts lines by (place, customer); what has both in common stays in the order in which it was added. */
export class RunWriter {
  #places: number[] = [];
  #ids: string[] = [];
  #texts: string[] = [];
  #characters = 0;
  #runs: Uint8Array<ArrayBuffer>[] = [];

  /** `text`: whole lines, each with its end. */
  add(place: number, customerId: string, text: string): void {
    this.#places.push(place);
    this.#ids.push(customerId);
    this.#texts.push(text);
    this.#characters += text.length;
    if (this.#characters > RUN_CHARACTERS) this.#seal();
  }

  /** The runs so far; the writer begins anew. */
  take(): Uint8Array<ArrayBuffer>[] {
    if (this.#texts.length > 0) this.#seal();
    const runs = this.#runs;
    this.#runs = [];
    return runs;
  }

  #seal(): void {
    const [places, ids, texts] = [this.#places, this.#ids, this.#texts];
    const order = Array.from(texts.keys());
    order.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0) || compareUtf8(ids[a] ?? "", ids[b] ?? ""));
    let bytes = 0;
    for (const i of order)
      bytes += HEADER_BYTES + Buffer.byteLength(ids[i] ?? "") + Buffer.byteLength(texts[i] ?? "");
    const run = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    for (const i of order) {
      const idLength = run.write(ids[i] ?? "", at + HEADER_BYTES);
      const textLength = run.write(texts[i] ?? "", at + HEADER_BYTES + idLength);
      run.writeDoubleLE(places[i] ?? 0, at);
      run.writeUInt32LE(idLength, at + 8);
      run.writeUInt32LE(textLength, at + 12);
      at += HEADER_BYTES + idLength + textLength;
    }
    this.#runs.push(run);
    this.#places = [];
    this.#ids = [];
    this.#texts = [];
    this.#characters = 0;
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
  /** Of the next entry, within the run. */
  #next = 0;
  place = 0;
  customerId = "";
  text: Uint8Array = this.#window;

  constructor(piece: Piece, rank: number) {
    this.#piece = piece;
    this.rank = rank;
    this.#length = lengthOf(piece);
  }

  /** False at the end. */
  advance(): boolean {
    if (this.#next >= this.#length) return false;
    const header = this.#need(HEADER_BYTES);
    const idLength = this.#window.readUInt32LE(header + 8);
    const length = HEADER_BYTES + idLength + this.#window.readUInt32LE(header + 12);
    const at = this.#need(length);
    this.place = this.#window.readDoubleLE(at);
    this.customerId = this.#window.toString("utf8", at + HEADER_BYTES, at + HEADER_BYTES + idLength);
    this.text = this.#window.subarray(at + HEADER_BYTES + idLength, at + length);
    this.#next += length;
    return true;
  }

  /** Has so many bytes from the next entry on in memory; returns where in the window it begins. */
  #need(bytes: number): number {
    const at = this.#next - this.#windowAt;
    if (at + bytes <= this.#window.length) return at;
    const view = readPiece(this.#piece, this.#next, Math.max(bytes, READ_BYTES));
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
