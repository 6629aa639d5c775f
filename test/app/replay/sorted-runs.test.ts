import fc from "fast-check";
import { expect, test } from "vitest";
import { Scratch } from "../../../src/adapters/embedded/scratch.ts";
import { RunWriter, writeMerged } from "../../../src/app/replay/sorted-runs.ts";
import { compareUtf8 } from "../../../src/shared/utf8-order.ts";

const entry = fc.record({
  place: fc.constantFrom(0, 0.5, 1, 2 ** 51 + 1),
  id: fc.constantFrom("", "a", "é", "\u{1f600}", "\uffff"),
  text: fc.oneof(fc.string({ unit: "grapheme" }), fc.constant("long ".repeat(100_000))),
  run: fc.nat(3),
});

test("runs are merged by place and customer; equal ones stay in their order, run by run, in memory and from the file", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { maxLength: 30 }),
      fc.constantFrom(0, 1000, 2 ** 30),
      async (entries, limit) => {
        const scratch = new Scratch(limit);
        const writers = Array.from({ length: 4 }, () => new RunWriter());
        for (const { place, id, text, run } of entries) writers[run]?.add(place, id, JSON.stringify(text));
        const pieces = writers.flatMap((writer) => writer.takeAll()).map((run) => scratch.keep(run));
        const found: Buffer[] = [];
        await writeMerged(pieces, { write: (lines) => void found.push(Buffer.from(lines)) }, () => undefined);
        scratch.close();
        const expected = entries.toSorted(
          (a, b) => a.place - b.place || compareUtf8(a.id, b.id) || a.run - b.run,
        );
        expect(Buffer.concat(found).toString()).toBe(
          expected.map(({ text }) => `${JSON.stringify(text)}\n`).join(""),
        );
      },
    ),
    { numRuns: 100 },
  );
});

test("a run that grows too long becomes several, and nothing is lost between them", async () => {
  const scratch = new Scratch(0);
  const writer = new RunWriter();
  const line = "x".repeat(2 ** 20);
  for (let i = 0; i < 70; i++) writer.add(70 - i, "c", `${i} ${line}`);
  const runs = writer.takeAll();
  expect(runs.length).toBe(9);
  const found: number[] = [];
  const write = (lines: Uint8Array): void =>
    void found.push(Number.parseInt(Buffer.from(lines.subarray(0, 3)).toString(), 10));
  await writeMerged(
    runs.map((run) => scratch.keep(run)),
    { write },
    () => undefined,
  );
  scratch.close();
  expect(found).toEqual(Array.from({ length: 70 }, (_, i) => 69 - i));
});
