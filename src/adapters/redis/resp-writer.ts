/** Texts up to so many UTF-16 units are tried as ASCII, byte by byte, before the engine is asked. */
const SHORT_TEXT = 40;
const DOLLAR = 0x24;
const STAR = 0x2a;
const RETURN = 0x0d;
const NEWLINE = 0x0a;
const ZERO = 0x30;
/** A count or length in decimal with the sign before it and the line's end. */
const LINE_BYTES = 13;

/**
 * A command as it goes over the wire (RESP, https://redis.io/docs/latest/develop/reference/protocol-spec/), in one buffer. A commit has
 * ten thousand arguments: as separate strings and buffers each of them costs more than all its bytes.
 */
export class RespWriter {
  #bytes: Buffer;
  #at = 0;

  /** @param bytes how many there will be, about; memory that is not written to is not taken */
  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(bytes, LINE_BYTES));
  }

  /** So many arguments follow, the command's name included. */
  begin(count: number): void {
    this.#room(LINE_BYTES);
    this.#line(STAR, count);
  }

  text(value: string): void {
    const { length } = value;
    this.#room(3 * length + LINE_BYTES + 2);
    if (length <= SHORT_TEXT && this.#ascii(value)) return;
    this.#line(DOLLAR, Buffer.byteLength(value, "utf8"));
    this.#at += this.#bytes.write(value, this.#at, "utf8");
    this.#end();
  }

  int(value: number): void {
    this.text(String(value));
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length + LINE_BYTES + 2);
    this.#line(DOLLAR, value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    this.#end();
  }

  /** All that was written; the writer is of no use any more. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Leaves everything as it was when the text is not ASCII. */
  #ascii(value: string): boolean {
    const { length } = value;
    const bytes = this.#bytes;
    // "$", one or two digits, and the line's end.
    const start = this.#at + (length < 10 ? 4 : 5);
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      bytes[start + i] = code;
    }
    this.#line(DOLLAR, length);
    this.#at = start + length;
    this.#end();
    return true;
  }

  #line(sign: number, value: number): void {
    const bytes = this.#bytes;
    bytes[this.#at++] = sign;
    if (value < 10) bytes[this.#at++] = ZERO + value;
    else if (value < 100) {
      bytes[this.#at++] = ZERO + Math.floor(value / 10);
      bytes[this.#at++] = ZERO + (value % 10);
    } else this.#at += bytes.write(String(value), this.#at, "latin1");
    this.#end();
  }

  #end(): void {
    this.#bytes[this.#at++] = RETURN;
    this.#bytes[this.#at++] = NEWLINE;
  }

  #room(needed: number): void {
    if (this.#at + needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + needed));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}
