import { expect, test } from "vitest";
import { murmur2, partitionOf } from "../../src/shared/murmur2.ts";

/** From Kafka's own UtilsTest. */
test.each([
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
])("murmur2 of %j is Java's", (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});

test("a negative hash loses its sign, it is not negated", () => {
  expect(partitionOf(Buffer.from("21"), 8)).toBe((-973932308 & 0x7fffffff) % 8);
});
