import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { lengthOf, readPiece, Scratch } from "../../../src/adapters/embedded/scratch.ts";

test("what is more than the limit lies in a file that goes when the scratch is closed; what is dropped makes room", () => {
  const scratch = new Scratch(10);
  const of = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
  const first = scratch.keep(of("12345678"));
  const second = scratch.keep(of("abcdefgh"));
  const third = scratch.keep(of("ABCDEFGH"));
  expect([first.kind, second.kind, third.kind]).toEqual(["memory", "file", "file"]);
  scratch.drop(first);
  expect(scratch.keep(of("once more")).kind).toBe("memory");
  for (const [piece, text] of [
    [first, "12345678"],
    [second, "abcdefgh"],
    [third, "ABCDEFGH"],
  ] as const) {
    expect(lengthOf(piece)).toBe(8);
    expect(Buffer.from(readPiece(piece)).toString()).toBe(text);
    expect(Buffer.from(readPiece(piece, 6, 100)).toString()).toBe(text.slice(6));
    expect(Buffer.from(readPiece(piece, 2, 3)).toString()).toBe(text.slice(2, 5));
  }
  const path = second.kind === "file" ? second.path : "";
  expect(existsSync(path)).toBe(true);
  scratch.close();
  expect(existsSync(dirname(path))).toBe(false);
});
