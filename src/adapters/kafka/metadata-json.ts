/** What a broker takes as metadata of an offset unless configured (`offset.metadata.max.bytes`). */
export const METADATA_BYTES = 4_096;

/** Stands for a text whose JSON would be longer: its UTF-8 bytes as base64url. */
interface Packed {
  readonly utf8: string;
}

/**
 * JSON for the metadata of an offset, where a text takes four bytes for three at most: an id may hold nothing but control characters,
 * of which JSON makes six bytes each. Texts must be well-formed Unicode, as ids are.
 */
export function metadataText(value: object): string {
  return JSON.stringify(value, (_name, part: unknown) => (typeof part === "string" ? shorter(part) : part));
}

/** Reads what `metadataText` wrote, and any other JSON as it is. Throws SyntaxError. */
export function parseMetadata(text: string): unknown {
  return JSON.parse(text, (_name, part: unknown) =>
    isPacked(part) ? Buffer.from(part.utf8, "base64url").toString("utf8") : part,
  );
}

function shorter(text: string): string | Packed {
  const plain = JSON.stringify(text);
  // Most have nothing that JSON would escape.
  if (plain.length === text.length + 2) return text;
  const packed: Packed = { utf8: Buffer.from(text, "utf8").toString("base64url") };
  return JSON.stringify(packed).length < Buffer.byteLength(plain, "utf8") ? packed : text;
}

function isPacked(part: unknown): part is Packed {
  if (part === null || typeof part !== "object" || Array.isArray(part)) return false;
  return "utf8" in part && typeof part.utf8 === "string" && Object.keys(part).length === 1;
}
