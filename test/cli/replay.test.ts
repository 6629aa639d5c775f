import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test, vi } from "vitest";
import { jsonLines, run, start } from "../child.ts";
import { runHere } from "./in-process.ts";

// Some tests start processes of their own, several at a time on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), "clientela-replay-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const order = (n: number, customerId: string, day: string, amountMinor = 4990): string =>
  JSON.stringify({
    topic: "orders",
    eventId: `e${n}`,
    customerId,
    occurredAt: `${day}T09:30:00Z`,
    orderId: `o${n}`,
    kind: "PLACED",
    amountMinor,
    currency: "EUR",
  });

/** Worked case 4 and a second customer, with a line that can't be used and a blank one. */
const LINES = [
  order(1, "zoe", "2025-01-01"),
  order(2, "adam", "2025-01-10"),
  "not JSON",
  "",
  order(3, "adam", "2025-02-10"),
  order(4, "zoe", "2025-09-01"),
];
const TEXT = `${LINES.join("\n")}\n`;
const file = (name: string, content: string | Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const events = file("events.jsonl", TEXT);
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function replayed(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runHere(["replay", ...args]);
  expect(code, stderr).toBe(0);
  return stdout;
}

describe("replay (I1, I3)", () => {
  test("writes four result files with the names and the order of I3", async () => {
    const [changes, segments, timeline, deadLetters] = ["changes", "segments", "timeline", "dead"].map(
      (name) => join(folder, name),
    ) as [string, string, string, string];
    const asked = [
      "--changes",
      changes,
      "--segments",
      segments,
      "--timeline",
      timeline,
      "--dead-letters",
      deadLetters,
    ];
    expect(await replayed([events, ...asked])).toBe("");
    const read = (path: string): Record<string, unknown>[] => jsonLines(readFileSync(path, "utf8"));

    const [first] = read(changes);
    expect(first).toMatchObject({
      customerId: "zoe",
      changed: ["status", "stage", "value", "attention", "tags"],
      previous: null,
      current: { status: "ACTIVE", stage: "TESTER", value: "C", attention: "MAINTAIN", tags: [] },
      effectiveAt: "2025-01-01T09:30:00.000Z",
      decidedAt: expect.stringMatching(INSTANT) as string,
      cause: { kind: "EVENT", ref: { topic: "orders", eventId: "e1" } },
      next: { at: "2025-06-30T09:30:00.000Z", becomes: { status: "INACTIVE", stage: "TESTER" } },
      policy: { version: expect.any(String) as string, hash: expect.any(String) as string },
      origin: "REPLAY",
    });
    expect(first?.["facts"]).toMatchObject({ lapseAt: "2025-06-30T09:30:00.000Z", revenueMinor: 4990 });
    expect(first?.["reasons"]).toContainEqual(
      expect.objectContaining({ axis: "stage", rule: expect.any(String) as string }),
    );

    const inForce = read(segments);
    expect(inForce.map(({ customerId }) => customerId)).toEqual(["adam", "zoe"]);
    expect(Object.keys(inForce[0] ?? {})).toEqual([
      "customerId",
      "asOf",
      "classification",
      "facts",
      "next",
      "seq",
      "policy",
    ]);
    expect(inForce[1]).toMatchObject({
      asOf: "2025-09-01T09:30:00.000Z",
      classification: { status: "ACTIVE", stage: "BUYER" },
    });

    const transitions = read(timeline);
    expect(Object.keys(transitions[0] ?? {})).toEqual(["customerId", "at", "previous", "current", "cause"]);
    const places = transitions.map(({ customerId, at }) => `${String(customerId)} ${String(at)}`);
    expect(places).toEqual([...places].sort());
    expect(places).toContain("zoe 2025-06-30T09:30:00.000Z");

    expect(read(deadLetters)).toEqual([
      {
        reason: "undecodable",
        message: expect.stringContaining("not JSON") as string,
        source: { file: events, line: 3 },
        raw: Buffer.from("not JSON").toString("base64"),
      },
    ]);
  });

  test("changes go to stdout when nothing else is asked for; - puts any of them there", async () => {
    const changes = jsonLines(await replayed([events]));
    expect(changes[0]).toHaveProperty("changeId");
    expect(jsonLines(await replayed([events, "--changes", "-"]))).toEqual(changes);
    expect(jsonLines(await replayed([events, "--segments", "-"]))).toHaveLength(2);
    expect(jsonLines(await replayed([events, "--timeline", "-"]))[0]).toHaveProperty("at");
    expect(jsonLines(await replayed([events, "--dead-letters", "-"]))[0]).toHaveProperty("reason");
  });

  test("any order of the lines, any split over files, plain or .gz, gives the same timeline bytes", async () => {
    const timeline = await replayed([events, "--timeline", "-"]);
    const reversed = file("reversed.jsonl", [...LINES].reverse().join("\n"));
    const zipped = file("events.jsonl.gz", gzipSync(TEXT));
    const parts = [file("a.jsonl", LINES.slice(3).join("\n")), file("b.jsonl", LINES.slice(0, 3).join("\n"))];
    for (const files of [[reversed], [zipped], parts]) {
      expect(await replayed([...files, "--timeline", "-"])).toBe(timeline);
    }
  });

  test("- reads standard input, with and without --as-of, and leaves nothing behind", async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("clientela-"));
    const timeline = await replayed([events, "--timeline", "-"]);
    for (const asOf of [[], ["--as-of", "2025-09-01T09:30:00Z"]]) {
      const { code, stdout } = await run(["replay", "-", "--timeline", "-", ...asOf], {}, TEXT);
      expect([code, stdout]).toEqual([0, timeline]);
    }
    expect(
      readdirSync(tmpdir()).filter((name) => name.startsWith("clientela-") && !before.includes(name)),
    ).toEqual([]);
  });

  test("what can be read only once needs no --as-of", async () => {
    const { code, stdout, stderr } = await runHere(["replay", "/dev/null"]);
    expect([code, stdout]).toEqual([0, ""]);
    expect(stderr).toMatch(/^0 events in .* as of 1970-01-01T00:00:00\.000Z\n$/);
  });

  test("--as-of does not see later events, and applies deadlines up to and at it (S7.1c)", async () => {
    const statusOfZoe = async (asOf: string): Promise<unknown> => {
      const segments = jsonLines(await replayed([events, "--segments", "-", "--as-of", asOf]));
      return (
        segments.find(({ customerId }) => customerId === "zoe")?.["classification"] as { status: string }
      ).status;
    };
    expect(await statusOfZoe("2025-06-30T09:29:59.999Z")).toBe("ACTIVE");
    expect(await statusOfZoe("2025-06-30T09:30:00.000Z")).toBe("INACTIVE");
    expect(await statusOfZoe("2025-06-30T11:30:00+02:00")).toBe("INACTIVE");
    expect(await statusOfZoe(String(Date.parse("2025-09-01T09:30:00Z")))).toBe("ACTIVE");
    const { stderr } = await runHere([
      "replay",
      events,
      "--segments",
      "-",
      "--as-of",
      "2025-06-30T09:30:00Z",
    ]);
    expect(stderr).toContain("1 after the end");
  });

  test("the summary goes to stderr and says what was refused, and how to learn why", async () => {
    const { stderr } = await runHere(["replay", events]);
    expect(stderr).toMatch(
      /^5 events in .*, 1 refused \(--dead-letters FILE says why\); as of 2025-09-01T09:30:00\.000Z\n$/,
    );
  });

  test("a full disk is told in one line, exit code 1", async () => {
    const { code, stderr } = await runHere(["replay", events, "--segments", "/dev/full"]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^clientela: \/dev\/full can't be written to its end: ENOSPC.*\n$/),
    ]);
  });
});

/** Tells on standard error which packages a process loads. */
const TELL_PACKAGES = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  registerHooks({ load(url, context, next) {
    const [, name] = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url) ?? [];
    if (name !== undefined) process.stderr.write("loads " + name + "\\n");
    return next(url, context);
  } });`)}`;

test("starts without the packages of other commands, which take longer to load than a small file to replay", async () => {
  const { code, stderr } = await run(["replay", "/dev/null", "--segments", "/dev/null"], {
    NODE_OPTIONS: `--import ${TELL_PACKAGES}`,
  });
  const loaded = new Set(stderr.match(/(?<=^loads ).*/gm));
  expect([code, loaded.has("commander")]).toEqual([0, true]);
  for (const name of ["kafkajs", "ioredis", "fastify", "avsc", "prom-client", "pino", "ajv"]) {
    expect(loaded).not.toContain(name);
  }
});

describe("stopping (I1)", () => {
  test("the reader of a pipe that has seen enough ends a command quietly with 0", async () => {
    const many = file(
      "many.jsonl",
      Array.from({ length: 20_000 }, (_, i) => order(i, `c${i}`, "2025-01-01")).join("\n"),
    );
    const child = start(["replay", many]);
    child.process.stdout?.once("data", () => child.process.stdout?.destroy());
    expect(await child.ended).toBe(0);
    expect(child.stderr()).not.toContain("at ");
  });

  test("Ctrl-C ends a long replay with 1: half a history has no result", async () => {
    const child = start([
      "replay",
      "-",
      "--segments",
      join(folder, "half.jsonl"),
      "--as-of",
      "2025-06-01T00:00:00Z",
    ]);
    const { stdin } = child.process;
    let n = 0;
    const feed = (): void => {
      while (stdin?.writable === true && stdin.write(`${order(n, `c${n++ % 1000}`, "2025-01-01")}\n`));
      if (n < 5_000_000) stdin?.once("drain", feed);
    };
    feed();
    await expect.poll(() => n, { timeout: 20_000 }).toBeGreaterThan(20_000);
    child.process.kill("SIGINT");
    expect(await child.ended).toBe(1);
    expect(child.stderr()).toMatch(/^clientela: stopped before the end.*\n$/);
    expect(readFileSync(join(folder, "half.jsonl"), "utf8")).toBe("");
  });

  test("Ctrl-C ends the demo with a summary and 0", async () => {
    const child = start(["demo", "--customers", "20"]);
    await expect.poll(() => child.stdout().split("\n").length, { timeout: 20_000 }).toBeGreaterThan(5);
    child.process.kill("SIGINT");
    expect(await child.ended).toBe(0);
    expect(child.stdout()).toMatch(/Stopped on .*Where everybody stands/);
    expect(child.stderr()).toBe("");
  });
});
