const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** A line without its end. */
export interface Line {
  /** From 1; blank lines count. */
  readonly number: number;
  /** A view into what was read; of a line that is too long its first bytes. */
  readonly bytes: Buffer;
  /** Length of a line that is too long; null: all of it is here. */
  readonly cutFromBytes: number | null;
}

/**
 * Cuts chunks of bytes into lines: LF or CRLF, a byte order mark at the start and blank lines left out. Holds at most one line
 * of `greatestBytes`; of a longer one only the first `keptBytes`.
 */
export class LineSplitter {
  readonly #greatestBytes: number;
  readonly #keptBytes: number;
  /** Begins the next line: what came after the last newline. */
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes seen of a line that is too long; 0: none is under way. */
  #skippedBytes = 0;
  #number = 0;
  #isStart = true;

  constructor(greatestBytes: number, keptBytes: number) {
    this.#greatestBytes = greatestBytes;
    this.#keptBytes = keptBytes;
  }

  get linesRead(): number {
    return this.#number;
  }

  /** The lines that this chunk completes. The chunk must not be written to afterwards. */
  push(bytes: Buffer): Line[] {
    const lines: Line[] = [];
    const chunk = this.#isStart ? this.#withoutMark(bytes) : bytes;
    let from = 0;
    let end = chunk.indexOf(NEWLINE);
    if (this.#skippedBytes > 0) {
      this.#skippedBytes += end === -1 ? chunk.length : end;
      if (end === -1) return lines;
      this.#endTooLong(lines);
      from = end + 1;
      end = chunk.indexOf(NEWLINE, from);
    }
    if (end === -1) {
      this.#keep(chunk.subarray(from));
      return lines;
    }
    if (this.#rest.length > 0) {
      this.#add(lines, Buffer.concat([this.#rest, chunk.subarray(from, end)]));
      this.#rest = Buffer.alloc(0);
      from = end + 1;
      end = chunk.indexOf(NEWLINE, from);
    }
    for (; end !== -1; from = end + 1, end = chunk.indexOf(NEWLINE, from)) {
      this.#add(lines, chunk.subarray(from, end));
    }
    this.#keep(chunk.subarray(from));
    return lines;
  }

  /** The last line, if no newline ended it. */
  end(): Line[] {
    const lines: Line[] = [];
    if (this.#skippedBytes > 0) this.#endTooLong(lines);
    else if (this.#rest.length > 0) this.#add(lines, this.#rest);
    this.#rest = Buffer.alloc(0);
    return lines;
  }

  #add(lines: Line[], line: Buffer): void {
    this.#number++;
    const bytes = withoutCarriageReturn(line);
    if (isBlank(bytes)) return;
    const isTooLong = bytes.length > this.#greatestBytes;
    lines.push({
      number: this.#number,
      bytes: isTooLong ? bytes.subarray(0, this.#keptBytes) : bytes,
      cutFromBytes: isTooLong ? bytes.length : null,
    });
  }

  #keep(tail: Buffer): void {
    const length = this.#rest.length + tail.length;
    // One more than a line may have: it may turn out to be the carriage return.
    if (length > this.#greatestBytes + 1) {
      this.#rest = Buffer.concat([this.#rest, tail]).subarray(0, this.#keptBytes);
      this.#skippedBytes = length;
      return;
    }
    // Joined at once, a long line of many chunks would be copied again with each; they are large, so there are few.
    this.#rest = this.#rest.length === 0 ? tail : Buffer.concat([this.#rest, tail]);
  }

  #endTooLong(lines: Line[]): void {
    this.#number++;
    lines.push({ number: this.#number, bytes: Buffer.from(this.#rest), cutFromBytes: this.#skippedBytes });
    this.#rest = Buffer.alloc(0);
    this.#skippedBytes = 0;
  }

  /** The first bytes of all, once they are enough to tell whether they are a byte order mark. */
  #withoutMark(bytes: Buffer): Buffer {
    const first = Buffer.concat([this.#rest, bytes]);
    if (first.length < BYTE_ORDER_MARK.length && BYTE_ORDER_MARK.subarray(0, first.length).equals(first)) {
      this.#rest = first;
      return Buffer.alloc(0);
    }
    this.#isStart = false;
    this.#rest = Buffer.alloc(0);
    return first.subarray(0, 3).equals(BYTE_ORDER_MARK) ? first.subarray(3) : first;
  }
}

function withoutCarriageReturn(line: Buffer): Buffer {
  return line[line.length - 1] === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}

/** Nothing but spaces and tabs. */
function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x09) return false;
  return true;
}
