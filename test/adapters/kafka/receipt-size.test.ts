import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { METADATA_BYTES, metadataText, parseMetadata } from "../../../src/adapters/kafka/metadata-json.ts";
import { readReceipt, receiptText, receiptTextOfOutbox } from "../../../src/adapters/kafka/receipts.ts";
import { GREATEST_ID_BYTES } from "../../../src/domain/accept.ts";
import { LAST_CUSTOMER } from "../../../src/pipeline/shard-clock.ts";
import { GREATEST_OFFSETS, MOST_NAMED, worstReceipt } from "./worst-receipt.ts";

/** As many of it as an id may hold. */
function longest(characters: string): string {
  return characters.repeat(Math.floor(GREATEST_ID_BYTES / Buffer.byteLength(characters)));
}

const part = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
  fc.constantFrom(
    "\u0000",
    "\u001f",
    '"',
    "\\",
    "\n",
    "\u007f",
    "\u2028",
    "é",
    "\u{1f600}",
    LAST_CUSTOMER,
    "a",
  ),
);
/** Ids as long as they may be, of all that they may be made of. */
const id = fc
  .array(part, { minLength: 1, maxLength: 12 })
  .map((parts) => longest(parts.join("")))
  .filter((text) => text !== "" && text.isWellFormed());

describe("a receipt fits into the metadata of an offset, whatever its customers are called (A4)", () => {
  const worst = ["\u0001", '"', "\\", '\\"', "\u0001a", "\u0001\u{1f600}", "a", "é"].map(longest);

  test.each(worst.map((each) => [JSON.stringify(each.slice(0, 2)), each] as const))(
    "ids full of %s",
    (_, each) => {
      const receipt = worstReceipt(Array.from({ length: MOST_NAMED }, () => each));
      for (const text of [
        receiptText(receipt, GREATEST_OFFSETS),
        receiptTextOfOutbox({ offsets: GREATEST_OFFSETS, receipt }),
      ]) {
        // As much is left as an outbox's checkpoint says besides.
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(METADATA_BYTES - 200);
        expect(readReceipt(text)).toMatchObject(receipt);
      }
    },
  );

  test("any ids, and they come back as they were", () => {
    fc.assert(
      fc.property(fc.array(id, { minLength: MOST_NAMED, maxLength: MOST_NAMED }), (ids) => {
        const receipt = worstReceipt(ids);
        const text = receiptText(receipt, GREATEST_OFFSETS);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(METADATA_BYTES);
        expect(readReceipt(text)).toEqual({ ...receipt, offsets: GREATEST_OFFSETS });
      }),
    );
  });
});

describe("the JSON of metadata", () => {
  test("is that of everybody where nothing is gained, so that it is read by eye and by older versions", () => {
    const plain = { id: "C-1026", other: 'O"Brien', list: ["\n"] };
    expect(metadataText(plain)).toBe(JSON.stringify(plain));
  });

  test("no text is longer than plain JSON or base64url makes it", () => {
    fc.assert(
      fc.property(id, (text) => {
        const bytes = Buffer.byteLength(metadataText([text]));
        expect(bytes).toBeLessThanOrEqual(Buffer.byteLength(JSON.stringify([text])));
        expect(bytes).toBeLessThanOrEqual(Math.ceil((Buffer.byteLength(text) * 4) / 3) + 13);
      }),
    );
  });

  test("reads what was written before, where ids have escapes", () => {
    const old = worstReceipt(["\u0001\u0002", "\\", "x"]);
    expect(readReceipt(JSON.stringify(old))).toEqual(old);
    expect(parseMetadata('{"a":{"utf8":1},"b":{"utf8":"YQ","c":0},"d":["utf8"]}')).toEqual({
      a: { utf8: 1 },
      b: { utf8: "YQ", c: 0 },
      d: ["utf8"],
    });
  });

  test("a text that looks packed stays what it is", () => {
    const texts = ['{"utf8":"YQ"}', "\u0001".repeat(20), "utf8"];
    expect(parseMetadata(metadataText(texts))).toEqual(texts);
  });
});
