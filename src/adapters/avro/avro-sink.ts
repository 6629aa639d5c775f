/** Texts up to so many UTF-16 units are tried as ASCII, byte by byte, before the engine is asked. */
const SHORT_TEXT = 40;
/** More names than this are not kept: somebody passes texts that are none. */
const GREATEST_NAMES = 4096;
const NAMES = new Map<string, Uint8Array>();

const NO_DIGIT = 255;
/** Value of a hexadecimal digit, by its character code. */
const HEX_DIGITS = new Uint8Array(128).fill(NO_DIGIT);
for (let digit = 0; digit < 16; digit++) {
  HEX_DIGITS[digit.toString(16).charCodeAt(0)] = digit;
  HEX_DIGITS[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/**
 * Avro's binary encoding (https://avro.apache.org/docs/1.12.0/specification/#binary-encoding) into a buffer that is used again and
 * again: writers that know their schema go without the objects a generic writer wants. One at a time; `finish` copies out.
 */
export class AvroSink {
  #bytes = Buffer.allocUnsafe(16_384);
  #at = 0;

  begin(): void {
    this.#at = 0;
  }

  /** What was written since `begin`, as a buffer of its own. */
  finish(): Buffer {
    const finished = Buffer.allocUnsafe(this.#at);
    this.#bytes.copy(finished, 0, 0, this.#at);
    return finished;
  }

  byte(value: number): void {
    if (this.#at === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#at++] = value;
  }

  /** `int`, `long`, a branch of a union, or the size of a block: an integer that a double holds exactly. */
  int(value: number): void {
    if (this.#at + 10 > this.#bytes.length) this.#grow(10);
    const bytes = this.#bytes;
    let at = this.#at;
    if (value >= -0x2000_0000 && value < 0x2000_0000 && (value | 0) === value) {
      let rest = (value << 1) ^ (value >> 31);
      while (rest >= 0x80) {
        bytes[at++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      bytes[at++] = rest;
    } else {
      if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no integer that Avro could carry`);
      let rest = value >= 0 ? value * 2 : -value * 2 - 1;
      while (rest >= 0x80) {
        bytes[at++] = (rest % 0x80) | 0x80;
        rest = Math.floor(rest / 0x80);
      }
      bytes[at++] = rest;
    }
    this.#at = at;
  }

  text(value: string): void {
    const { length } = value;
    if (this.#at + length * 3 + 5 > this.#bytes.length) this.#grow(length * 3 + 5);
    if (length <= SHORT_TEXT && this.#ascii(value)) return;
    this.int(Buffer.byteLength(value, "utf8"));
    this.#at += this.#bytes.write(value, this.#at, "utf8");
  }

  /** A text of a small set that comes again and again: a status, a rule's name. Its bytes are kept. */
  name(value: string): void {
    let bytes = NAMES.get(value);
    if (bytes === undefined) {
      const before = this.#at;
      this.text(value);
      bytes = Buffer.from(this.#bytes.subarray(before, this.#at));
      if (NAMES.size < GREATEST_NAMES) NAMES.set(value, bytes);
      return;
    }
    this.raw(bytes);
  }

  /** A UUID, as its 16 bytes. */
  uuid(value: string): void {
    if (this.#at + 16 > this.#bytes.length) this.#grow(16);
    let high = -1;
    let at = this.#at;
    for (let i = 0; i < value.length; i++) {
      const digit = HEX_DIGITS[value.charCodeAt(i)] ?? NO_DIGIT;
      if (digit === NO_DIGIT) continue;
      if (high < 0) high = digit;
      else {
        this.#bytes[at++] = (high << 4) | digit;
        high = -1;
      }
    }
    if (value.length !== 36 || at - this.#at !== 16) throw new RangeError(`${value} is no UUID`);
    this.#at += 16;
  }

  double(value: number): void {
    if (this.#at + 8 > this.#bytes.length) this.#grow(8);
    this.#bytes.writeDoubleLE(value, this.#at);
    this.#at += 8;
  }

  /** A place to come back to with `latin1Since`. */
  mark(): number {
    return this.#at;
  }

  /** What was written since the mark, a character a byte. */
  latin1Since(mark: number): string {
    return this.#bytes.toString("latin1", mark, this.#at);
  }

  /** Bytes that `latin1Since` gave. */
  latin1(bytes: string): void {
    if (this.#at + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#at += this.#bytes.write(bytes, this.#at, "latin1");
  }

  raw(value: Uint8Array): void {
    if (this.#at + value.length > this.#bytes.length) this.#grow(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** An array as one block. */
  list<T>(items: readonly T[], write: (item: T) => void): void {
    if (items.length > 0) {
      this.int(items.length);
      for (const item of items) write(item);
    }
    this.byte(0);
  }

  /** Leaves everything as it was when the text is not ASCII. */
  #ascii(value: string): boolean {
    const bytes = this.#bytes;
    const start = this.#at + 1;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      bytes[start + i] = code;
    }
    // Fewer than 64: the size takes one byte.
    bytes[this.#at] = value.length << 1;
    this.#at = start + value.length;
    return true;
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + needed));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}
