/** A schema as far as it says how bytes are laid out. */
type Layout =
  | string
  | readonly Layout[]
  | {
      readonly type: Layout;
      readonly fields?: readonly { readonly name: string; readonly type: Layout }[];
      readonly items?: Layout;
      readonly values?: Layout;
    };

/** Names and values of a map as they stand on the wire: a name may come twice, or be one that objects treat as special. */
export type Entries = readonly (readonly [name: string | Uint8Array, value: unknown])[];

/**
 * Bytes of a value as a schema lays them out, without asking whether they make sense: longs of any size (bigint), texts that are no
 * UTF-8 (bytes), maps as entries. avsc writes none of these. Of a union only [null, something].
 */
export function rawAvro(layout: unknown, value: unknown): Buffer {
  const parts: Uint8Array[] = [];
  write(parts, layout as Layout, value);
  return Buffer.concat(parts);
}

function write(parts: Uint8Array[], layout: Layout, value: unknown): void {
  if (isUnion(layout)) {
    parts.push(long(value === null ? 0n : 1n));
    if (value !== null) write(parts, layout[1] ?? "null", value);
    return;
  }
  const type = typeof layout === "string" ? layout : layout.type;
  if (typeof type !== "string") {
    write(parts, type, value);
    return;
  }
  switch (type) {
    case "long":
    case "int":
      parts.push(long(BigInt(value as number | bigint)));
      return;
    case "double": {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(value as number);
      parts.push(bytes);
      return;
    }
    case "string":
      text(parts, value as string | Uint8Array);
      return;
    case "array":
      list(parts, value as readonly unknown[], (item) => write(parts, inner(layout, "items"), item));
      return;
    case "map":
      list(parts, value as Entries, (entry) => {
        text(parts, entry[0]);
        write(parts, inner(layout, "values"), entry[1]);
      });
      return;
    case "record": {
      const fields = typeof layout === "string" ? [] : (layout.fields ?? []);
      for (const { name, type: own } of fields) write(parts, own, (value as Record<string, unknown>)[name]);
      return;
    }
    default:
      throw new Error(`no way to write ${type}`);
  }
}

function isUnion(layout: Layout): layout is readonly Layout[] {
  return Array.isArray(layout);
}

function inner(layout: Exclude<Layout, readonly Layout[]>, which: "items" | "values"): Layout {
  return (typeof layout === "string" ? undefined : layout[which]) ?? "null";
}

function text(parts: Uint8Array[], value: string | Uint8Array): void {
  const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : value;
  parts.push(long(BigInt(bytes.length)), bytes);
}

function list<T>(parts: Uint8Array[], items: readonly T[], each: (item: T) => void): void {
  if (items.length > 0) parts.push(long(BigInt(items.length)));
  for (const item of items) each(item);
  parts.push(long(0n));
}

/** The most common longs, all of one byte. */
const SHORT = Array.from({ length: 64 }, (_, value) => Buffer.of(value * 2));

/** Zigzag, then seven bits a byte; 64 bits at most, as Avro has it. */
export function long(value: bigint): Buffer {
  if (value >= 0n && value < 64n) return SHORT[Number(value)] ?? Buffer.of(Number(value) * 2);
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
