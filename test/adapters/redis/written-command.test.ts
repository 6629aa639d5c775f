import fc from "fast-check";
import { Command } from "ioredis";
import { describe, expect, test } from "vitest";
import { commitArguments } from "../../../src/adapters/redis/commit-arguments.ts";
import { RespWriter } from "../../../src/adapters/redis/resp-writer.ts";
import type { CustomerWrite, StateCommit } from "../../../src/pipeline/ports.ts";
import { instant } from "../../../src/shared/instant.ts";

type Argument = string | number | Buffer;

const text = fc.oneof(
  fc.string({ maxLength: 120 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.constantFrom("", "a".repeat(9), "a".repeat(10), "a".repeat(40), "a".repeat(41), "é".repeat(40)),
);
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const argument: fc.Arbitrary<Argument> = fc.oneof(text, bytes, fc.maxSafeInteger());

/** As ioredis writes it. */
function original(name: string, args: readonly Argument[]): string {
  return Buffer.from(new Command(name, [...args]).toWritable({})).toString("hex");
}

function put(resp: RespWriter, each: Argument): void {
  if (typeof each === "string") resp.text(each);
  else if (typeof each === "number") resp.int(each);
  else resp.bytes(each);
}

describe("commands that are written without ioredis", () => {
  test("any arguments, byte for byte, whatever was guessed of their size", () => {
    fc.assert(
      fc.property(fc.array(argument, { maxLength: 30 }), fc.nat(2000), (args, guessed) => {
        const resp = new RespWriter(guessed);
        resp.begin(1 + args.length);
        resp.text("EVALSHA");
        for (const each of args) put(resp, each);
        expect(resp.finish().toString("hex")).toBe(original("EVALSHA", args));
      }),
      { numRuns: 1000 },
    );
  });

  test("a commit: what commit.lua takes, in its order, and as many as are announced", () => {
    const page = fc.tuple(fc.nat(50), fc.option(bytes, { nil: null }));
    const write: fc.Arbitrary<CustomerWrite> = fc.record({
      customerId: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
      head: fc.option(bytes, { nil: null }),
      chunks: fc.array(page, { maxLength: 3 }),
      deadlineAt: fc.option(fc.nat(2 ** 40).map(instant), { nil: null }),
    });
    const dropped = fc.array(fc.tuple(text, fc.nat(9)), { maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(write, { maxLength: 8 }),
        dropped,
        fc.option(text, { nil: null }),
        (writes, gone, policyText) => {
          const marks = {
            seq: 8,
            offsets: { orders: 3 },
            clock: null,
            published: 8,
            policy: "p",
            migrating: null,
            silentBelow: null,
          };
          const commit: StateCommit = { epoch: 5, expectedSeq: 7, writes, marks, policyText };
          const args = commitArguments(commit, gone);
          const resp = new RespWriter(args.bytes);
          const room = args.bytes;
          resp.begin(1 + args.count);
          resp.text("X");
          args.write(resp);
          const expected = plainArguments(commit, gone);
          const written = resp.finish();
          expect(written.toString("hex")).toBe(original("X", expected));
          expect(args.count).toBe(expected.length);
          expect(written.length).toBeLessThanOrEqual(room);
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** The header of commit.lua, literally. */
function plainArguments(
  { epoch, expectedSeq, marks, policyText, writes }: StateCommit,
  dropped: readonly (readonly [string, number])[],
): Argument[] {
  const field = (id: string, page: number): Buffer => Buffer.from(`${id}\0${page}`);
  const kept = writes.flatMap(({ head, ...rest }) => (head === null ? [] : [{ ...rest, head }]));
  const gone = writes.filter(({ head }) => head === null);
  const pages = kept.flatMap(({ customerId, chunks }) =>
    chunks.map(([page, data]) => ({ field: field(customerId, page), data })),
  );
  const set = pages.flatMap(({ field, data }) =>
    data === null ? [] : [[field, Buffer.from(data)] as const],
  );
  const unset = pages.flatMap(({ field, data }) => (data === null ? [field] : []));
  const goneFields = [...dropped.map(([id, page]) => field(id, page)), ...unset];
  const dated = kept.filter(({ deadlineAt }) => deadlineAt !== null);
  const undated = writes.filter(({ head, deadlineAt }) => head === null || deadlineAt === null);
  return [
    ...[epoch, expectedSeq, marks.seq, JSON.stringify(marks), policyText ?? ""],
    ...[kept.length, gone.length, set.length, goneFields.length, dated.length, undated.length],
    ...kept.flatMap(({ customerId, head }) => [customerId, Buffer.from(head)]),
    ...gone.map(({ customerId }) => customerId),
    ...set.flat(),
    ...goneFields,
    ...dated.flatMap(({ customerId, deadlineAt }) => [Number(deadlineAt), customerId]),
    ...undated.map(({ customerId }) => customerId),
  ];
}
