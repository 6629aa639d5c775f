import avro from "avsc";

/** The part of avsc's reading position that lists are read with. */
interface Tap {
  readonly buf: Uint8Array;
  pos: number;
  readLong(): number;
  readString(): string;
  skipLong(): void;
  skipString(): void;
}

/** What avsc's types have beyond their published types. */
interface Reader {
  _read(tap: Tap): unknown;
  _skip(tap: Tap): void;
}

type ArrayReader = Reader & { readonly itemsType: Reader };
type MapReader = Reader & { readonly valuesType: Reader };

let isDone = false;

/**
 * Makes avsc safe to read with from bytes that anybody may have written. avsc 5.7 believes a list's count before it has seen the
 * items: a record of 20 bytes that announces 2⁴⁰ of them holds the process until its memory is gone. Here a block can't have more
 * items than bytes are left, and a skipped one can't lead backwards. A key `__proto__` of a map is a key like others. Longs are
 * exact up to 2⁵³: avsc takes those below −2⁵² for positive ones.
 */
export function boundReads(): void {
  if (isDone) return;
  isDone = true;
  const { ArrayType, LongType, MapType } = avro.types as unknown as Record<
    "ArrayType" | "LongType" | "MapType",
    { prototype: Reader }
  >;
  LongType.prototype._read = function (tap: Tap): number {
    const start = tap.pos;
    const value = tap.readLong();
    return value > -EXACT && value < EXACT ? value : exactLong(tap.buf.subarray(start, tap.pos));
  };
  ArrayType.prototype._read = function (this: ArrayReader, tap: Tap): unknown[] {
    const items: unknown[] = [];
    for (let count = blockCount(tap); count > 0; count = blockCount(tap)) {
      while (count-- > 0) items.push(this.itemsType._read(tap));
    }
    return items;
  };
  ArrayType.prototype._skip = function (this: ArrayReader, tap: Tap): void {
    for (let count = skippedCount(tap); count > 0; count = skippedCount(tap)) {
      while (count-- > 0) this.itemsType._skip(tap);
    }
  };
  MapType.prototype._read = function (this: MapReader, tap: Tap): object {
    const map: Record<string, unknown> = {};
    for (let count = blockCount(tap); count > 0; count = blockCount(tap)) {
      while (count-- > 0) {
        const key = tap.readString();
        const value = this.valuesType._read(tap);
        if (key === "__proto__") Object.defineProperty(map, key, { ...PLAIN, value });
        else map[key] = value;
      }
    }
    return map;
  };
  MapType.prototype._skip = function (this: MapReader, tap: Tap): void {
    for (let count = skippedCount(tap); count > 0; count = skippedCount(tap)) {
      while (count-- > 0) {
        tap.skipString();
        this.valuesType._skip(tap);
      }
    }
  };
}

/** Twice as much, which is how Avro writes it, is still exact in a double. */
const EXACT = 2 ** 52;

function exactLong(varint: Uint8Array): number {
  const zigzag = varint.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 0x7f), 0n);
  const value = Number((zigzag >> 1n) ^ -(zigzag & 1n));
  if (!Number.isSafeInteger(value)) throw new Error("a long is beyond 2⁵³");
  return value;
}

const PLAIN = { writable: true, enumerable: true, configurable: true };

/** Items of the block that begins here; 0: the list ends. */
function blockCount(tap: Tap): number {
  let count = tap.readLong();
  if (count < 0) {
    count = -count;
    tap.skipLong();
  }
  return checked(tap, count);
}

/** The same for a list nobody wants: blocks that state their length in bytes are leapt over. */
function skippedCount(tap: Tap): number {
  for (;;) {
    const count = tap.readLong();
    if (count >= 0) return checked(tap, count);
    tap.pos += checked(tap, tap.readLong());
  }
}

function checked(tap: Tap, count: number): number {
  const left = Math.max(0, tap.buf.length - tap.pos);
  if (!(count >= 0 && count <= left)) {
    throw new Error(`a list says it has ${count} items or bytes, but ${left} bytes are left`);
  }
  return count;
}
