import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NewRecord } from "../../../src/adapters/embedded/embedded-log.ts";
import { readEventFiles, type EventFiles } from "../../../src/adapters/embedded/event-files.ts";
import { LineSplitter } from "../../../src/adapters/embedded/line-splitter.ts";
import { UsageError } from "../../../src/pipeline/errors.ts";

let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "clientela-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(content: string | Buffer, extension = ".jsonl"): string {
  const path = join(folder, `events-${files++}${extension}`);
  writeFileSync(path, content);
  return path;
}

async function collect(events: EventFiles | Promise<EventFiles>): Promise<NewRecord[]> {
  const records: NewRecord[] = [];
  for await (const batch of await events) records.push(...batch);
  return records;
}

const survey = (eventId: string, at: number | string = 1_736_000_000_000, customerId = "c1"): string =>
  JSON.stringify({
    topic: "surveys",
    eventId,
    customerId,
    occurredAt: at,
    surveyId: eventId,
    score: 9,
    scaleMin: 0,
  });

/** What became of each line: the event's id, or why it was refused. */
function outcome({ decoded, file: at }: NewRecord): string {
  const what =
    decoded?.kind === "event"
      ? (decoded.event as { eventId: string }).eventId
      : `${decoded?.reason}: ${decoded?.detail}`;
  return `${at?.line} ${what}`;
}

describe("lines", () => {
  const line = fc.oneof(
    fc.string({ unit: fc.constantFrom("a", "é", "\u{1f600}", " ", "\t", '"') }),
    fc.constant("x".repeat(50)),
  );
  const end = fc.constantFrom("\n", "\r\n");

  test("are the same however the bytes are cut into chunks", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, end), { maxLength: 20 }),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 1, max: 40 }),
        (lines, hasMark, isEnded, size) => {
          const text = (hasMark ? "\ufeff" : "") + lines.map(([content, eol]) => content + eol).join("");
          const bytes = Buffer.from(isEnded ? text : text.replace(/\r?\n$/, ""));
          const splitter = new LineSplitter(30, 5);
          const found = [];
          for (let i = 0; i < bytes.length; i += size) {
            found.push(...splitter.push(Buffer.from(bytes.subarray(i, i + size))));
          }
          found.push(...splitter.end());
          const expected = lines.flatMap(([content], i) => {
            const whole = Buffer.from(content);
            if (content.trim() === "") return [];
            const isTooLong = whole.length > 30;
            return [[i + 1, (isTooLong ? whole.subarray(0, 5) : whole).toString("hex"), isTooLong]];
          });
          expect(found.map((l) => [l.number, l.bytes.toString("hex"), l.cutFromBytes !== null])).toEqual(
            expected,
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  test("a line longer than memory should hold is cut, and its length told", () => {
    const splitter = new LineSplitter(100, 10);
    const found = [
      ...splitter.push(Buffer.from(`short\n${"y".repeat(90)}`)),
      ...splitter.push(Buffer.from("y".repeat(500))),
      ...splitter.push(Buffer.from(`${"y".repeat(10)}\nnext\n`)),
    ];
    expect(found.map((l) => [l.number, l.bytes.toString(), l.cutFromBytes])).toEqual([
      [1, "short", null],
      [2, "yyyyyyyyyy", 600],
      [3, "next", null],
    ]);
    expect(splitter.linesRead).toBe(3);
  });
});

describe("event files (I2)", () => {
  test("every line becomes a record with its bytes, event, file and line", async () => {
    const path = file(`${survey("e1")}\n\n${survey("e2", "2025-01-04T14:13:20Z")}`);
    const records = await collect(readEventFiles([path]));
    expect(records.map(({ topic, value, file: at }) => [topic, Buffer.from(value!).toString(), at])).toEqual([
      ["surveys", survey("e1"), { name: path, line: 1 }],
      ["surveys", survey("e2", "2025-01-04T14:13:20Z"), { name: path, line: 3 }],
    ]);
    expect(records.map(({ decoded }) => decoded?.kind === "event" && decoded.event)).toMatchObject([
      { topic: "surveys", eventId: "e1", customerId: "c1", occurredAt: 1_736_000_000_000, score: 9 },
      { topic: "surveys", eventId: "e2", occurredAt: 1_736_000_000_000 },
    ]);
  });

  test("byte order mark, CRLF, blank lines and a missing last newline do no harm", async () => {
    const path = file(`\ufeff${survey("e1")}\r\n \t\r\n\r\n${survey("é2", 5e11)}\r\n${survey("e3")}`);
    expect((await collect(readEventFiles([path]))).map(outcome)).toEqual([
      "1 e1",
      expect.stringMatching(/^4 invalid_time/),
      "5 e3",
    ]);
  });

  test("a line that can't be used is a dead letter with its raw bytes; the rest goes on", async () => {
    const bad = Buffer.from([0x22, 0xc3, 0x28, 0x22]);
    const long = `{"pad":"${"x".repeat(2_000_000)}"}`;
    const path = file(
      Buffer.concat([
        Buffer.from('{"topic":"orders"\n[1]\nnull\n{"eventId":"e"}\n{"topic":"referrals"}\n{"topic":7}\n'),
        bad,
        Buffer.from(`\n${long}\n{"topic":"surveys","eventId":"e","occurredAt":5}\n${survey("fine")}\n`),
      ]),
    );
    const records = await collect(readEventFiles([path]));
    expect(records.map(outcome)).toEqual([
      expect.stringMatching(/^1 undecodable: the line is not JSON: /),
      "2 undecodable: the line is not a JSON object",
      "3 undecodable: the line is not a JSON object",
      "4 invalid_field: topic is missing",
      '5 invalid_field: topic is "referrals", not one of orders, inquiries, surveys, customers',
      "6 invalid_field: topic is 7, not one of orders, inquiries, surveys, customers",
      "7 undecodable: the line is not UTF-8",
      `8 undecodable: the line is ${long.length} bytes long; only its beginning is kept`,
      expect.stringMatching(/^9 invalid_(field|time): /),
      "10 fine",
    ]);
    expect(Buffer.from(records[6]!.value!)).toEqual(bad);
    expect(Buffer.from(records[7]!.value!).toString()).toBe(long.slice(0, 4096));
  });

  test("a character that two reads share is still one", async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) =>
      survey(`e${i}`, 1_736_000_000_000, "żółć\u{1f600}"),
    );
    const records = await collect(readEventFiles([file(lines.join("\n"))]));
    expect(records).toHaveLength(20_000);
    expect(
      new Set(records.map(({ decoded }) => decoded?.kind === "event" && decoded.event.customerId)),
    ).toEqual(new Set(["żółć\u{1f600}"]));
  });

  test(".gz, also of several parts, and standard input", async () => {
    const gz = file(Buffer.concat([gzipSync(`${survey("z1")}\n`), gzipSync(survey("z2"))]), ".jsonl.gz");
    expect((await collect(readEventFiles([gz]))).map(outcome)).toEqual(["1 z1", "2 z2"]);
    const stdin = Readable.from([Buffer.from(survey("s1").slice(0, 9)), Buffer.from(survey("s1").slice(9))]);
    const records = await collect(readEventFiles(["-"], { stdin }));
    expect(records.map((record) => [record.file?.name, outcome(record)])).toEqual([["-", "1 s1"]]);
  });

  test("several files in order of time come out as one, what can't be read first", async () => {
    const at = (minute: number): number => 1_736_000_000_000 + 60_000 * minute;
    const odd = file([1, 3, 5, 7].map((m) => survey(`o${m}`, at(m))).join("\n"));
    const even = file(["{", ...[2, 4, 4, 9].map((m) => survey(`e${m}`, at(m)))].join("\n"));
    const unsorted = file([8, 6].map((m) => survey(`u${m}`, at(m))).join("\n"));
    const empty = file("");
    const records = await collect(readEventFiles([odd, even, empty, unsorted]));
    expect(records.map((record) => outcome(record).replace(/^\d+ /, "").slice(0, 11))).toEqual([
      "undecodable",
      "o1",
      "e2",
      "o3",
      "e4",
      "e4",
      "o5",
      "o7",
      "u8",
      "u6",
      "e9",
    ]);
  });

  test("progress tells lines and bytes, of standard input no total", async () => {
    const text = `${survey("e1")}\n${survey("e2")}\n`;
    const events = await readEventFiles([file(text), file(gzipSync(text), ".gz")]);
    const total = text.length + gzipSync(text).length;
    expect(events.progress()).toEqual({ lines: 0, bytes: 0, totalBytes: total });
    await collect(events);
    expect(events.progress()).toEqual({ lines: 4, bytes: total, totalBytes: total });
    expect((await readEventFiles(["-"])).progress().totalBytes).toBeNull();
  });

  test("stopping early closes what was open", async () => {
    const text = Array.from({ length: 30_000 }, (_, i) => survey(`e${i}`, 1_736_000_000_000 + i)).join("\n");
    for await (const batch of await readEventFiles([file(text), file(text)])) {
      expect(batch.length).toBeGreaterThan(0);
      break;
    }
  });

  test("every path that can't be read is named before anything is done", async () => {
    const failure = readEventFiles([file(""), join(folder, "nowhere.jsonl"), folder, "-", "-"]);
    await expect(failure).rejects.toBeInstanceOf(UsageError);
    const { problems } = (await failure.catch((error: unknown) => error)) as UsageError;
    expect(problems).toHaveLength(3);
    expect(problems.join("\n")).toMatch(/named twice[^]*nowhere\.jsonl|nowhere\.jsonl[^]*named twice/);
    await expect(readEventFiles([])).rejects.toBeInstanceOf(UsageError);
  });

  test("a damaged .gz ends with the file's name, after what could be read", async () => {
    const whole = gzipSync(`${survey("e1")}\n`.repeat(1000));
    const path = file(whole.subarray(0, whole.length - 12), ".gz");
    await expect(collect(readEventFiles([path]))).rejects.toThrow(path);
  });
});
