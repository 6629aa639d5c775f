import { createRequire } from "node:module";
import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../../../src/adapters/kafka/crc32c.ts";

const theirs = createRequire(import.meta.url)("kafkajs/src/protocol/recordBatch/crc32C/crc32C.js") as (
  bytes: Uint8Array,
) => number;

test("the checksum of RFC 3720's examples and of the usual nine digits", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
});

test("whatever the bytes, and from wherever: what kafkajs reckons", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, from) => {
      expect(crc32c(bytes, Math.min(from, bytes.length))).toBe(theirs(bytes.subarray(from)));
    }),
  );
});
