import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kafkaClient } from "../../src/app/compose-kafka.ts";
import { runHere } from "../cli/in-process.ts";
import { jsonLines, start, type Child } from "../child.ts";
import { freshApplication, LOGGER, startRun, until, type Application } from "./application.ts";

const HEAD = { topic: "orders", kind: "PLACED", currency: "EUR" };
const EVENTS = [
  {
    ...HEAD,
    eventId: "e1",
    customerId: "anna",
    occurredAt: "2025-01-01T09:00:00Z",
    orderId: "o1",
    amountMinor: 4990,
  },
  {
    ...HEAD,
    eventId: "e2",
    customerId: "anna",
    occurredAt: "2025-01-20T09:00:00Z",
    orderId: "o2",
    amountMinor: 250_000,
  },
  {
    ...HEAD,
    eventId: "e3",
    customerId: "bert",
    occurredAt: "2025-03-01T09:00:00Z",
    orderId: "o3",
    amountMinor: 990,
    referredBy: "anna",
  },
  {
    topic: "surveys",
    eventId: "e4",
    customerId: "anna",
    occurredAt: "2025-02-01T09:00:00Z",
    surveyId: "s1",
    score: 9,
    scaleMin: 1,
  },
  {
    topic: "inquiries",
    eventId: "e5",
    customerId: "carl",
    occurredAt: "2025-02-02T09:00:00Z",
    inquiryId: "i1",
    kind: "QUOTE",
  },
];
/** Sound by itself, but S2.3 refuses it: a survey of tomorrow, and a currency without a rate. */
const REFUSED = [
  {
    topic: "surveys",
    eventId: "x1",
    customerId: "anna",
    occurredAt: "2100-02-01T09:00:00Z",
    surveyId: "s2",
    score: 5,
    scaleMin: 0,
  },
  {
    ...HEAD,
    eventId: "x2",
    customerId: "bert",
    occurredAt: "2025-03-01T09:00:00Z",
    orderId: "o9",
    amountMinor: 1,
    currency: "XTS",
  },
];

const folder = mkdtempSync(join(tmpdir(), "clientela-commands-"));
const events = join(folder, "events.jsonl");
const refused = join(folder, "refused.jsonl");
let application: Application;
const running: Child[] = [];

async function ok(args: readonly string[], env = application.env): Promise<string> {
  const { code, stdout, stderr } = await runHere(args, env);
  expect(code, stderr).toBe(0);
  return stdout;
}

async function published(): Promise<Record<string, unknown>[]> {
  return jsonLines(await ok(["watch", "--from-beginning", "--until-end", "--json"]));
}

beforeAll(() => {
  const lines = (values: readonly object[]): string =>
    values.map((value) => `${JSON.stringify(value)}\n`).join("");
  writeFileSync(events, lines(EVENTS));
  writeFileSync(refused, lines(REFUSED));
  application = freshApplication({ CLIENTELA_PARTITIONS: "2" });
});
afterAll(async () => {
  for (const child of running) child.process.kill("SIGKILL");
  await Promise.all(running.map(({ ended }) => ended));
  rmSync(folder, { recursive: true, force: true });
});

describe("the commands on real servers (I1), in the order in which somebody uses them", () => {
  test("before setup: refused with 3, each time saying what to do", async () => {
    for (const args of [
      ["run"],
      ["produce", events],
      ["watch"],
      ["explain", "anna"],
      ["dead-letters", "list"],
    ]) {
      const { code, stderr } = await runHere(args, application.env);
      expect([args[0], code]).toEqual([args[0], 3]);
      expect(stderr.trimEnd().split("\n").at(-1)).toMatch(/^clientela: .*clientela setup/);
    }
  });

  test("setup creates, and finds everything in order the second time", async () => {
    const first = jsonLines(await ok(["setup", "--json"]));
    expect(new Set(first.map(({ state }) => state))).toEqual(new Set(["created", "registered"]));
    const second = jsonLines(await ok(["setup", "--json"]));
    expect(second).toHaveLength(first.length);
    expect(new Set(second.map(({ state }) => state))).toEqual(new Set(["ok"]));
  });

  test("setup reports other partition counts and other settings, and changes nothing", async () => {
    const env = { ...application.env, CLIENTELA_PARTITIONS: "3", CLIENTELA_CHANGES_RETENTION_DAYS: "7" };
    const text = await ok(["setup"], env);
    expect(text).toContain(`topic ${application.prefix}orders: differs\n  partitions are 2, should be 3`);
    expect(text).toContain(`retention.ms is ${30 * 86_400_000}, should be ${7 * 86_400_000}`);
    expect(new Set(jsonLines(await ok(["setup", "--json"])).map(({ state }) => state))).toEqual(
      new Set(["ok"]),
    );
  });

  test("produce, then run: alive, ready, measured, and drained by SIGTERM with 0", async () => {
    const { stderr, code } = await runHere(["produce", events, refused], application.env);
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^7 events sent in .* 0 lines could not be sent\n$/),
    ]);
    const { child, http } = await startRun(application.env);
    running.push(child);
    expect((await fetch(`${http}/livez`)).status).toBe(200);
    const measured = (): Promise<string> => fetch(`${http}/metrics`).then((answer) => answer.text());
    await until(
      "both dead letters",
      30_000,
      async () => sum(await measured(), "clientela_dead_letters_total") === 2,
      child,
    );
    await until(
      "carl, the last one",
      30_000,
      async () => (await runHere(["explain", "carl"], application.env)).code === 0,
      child,
    );
    expect(await measured()).toMatch(/^clientela_changes_total\{.*\} [1-9]/m);
    expect((await fetch(`${http}/nothing`)).headers.get("content-type")).toContain(
      "application/problem+json",
    );
    child.process.kill("SIGTERM");
    expect(await child.ended).toBe(0);
    expect(child.stdout()).toBe("");
  });

  test("watch filters by customer and by axis, and ends at the end", async () => {
    const all = jsonLines(await ok(["watch", "--from-beginning", "--until-end", "--json"]));
    const mine = jsonLines(
      await ok(["watch", "--from-beginning", "--until-end", "--json", "--customer", "anna"]),
    );
    expect(mine.length).toBeGreaterThan(2);
    expect(mine).toEqual(all.filter(({ customerId }) => customerId === "anna"));
    const stages = jsonLines(
      await ok(["watch", "--from-beginning", "--until-end", "--json", "--changed", "stage"]),
    );
    expect(stages).toHaveLength(all.filter(({ changed }) => (changed as string[]).includes("stage")).length);
    expect(stages.length).toBeLessThan(all.length);
    const readable = await ok(["watch", "--from-beginning", "--until-end"]);
    expect(readable.trimEnd().split("\n")).toHaveLength(all.length);
  });

  test("explain and timeline from the state store say what they say from the event files", async () => {
    for (const customer of ["anna", "bert", "carl"]) {
      for (const at of ["2025-02-10T00:00:00Z", "2025-03-01T09:00:00Z", "2026-01-01T00:00:00Z"]) {
        for (const command of [
          ["explain", customer, "--at", at, "--json"],
          ["timeline", customer, "--until", at, "--json"],
        ]) {
          const stored = await runHere(command, application.env);
          const fromFiles = await runHere([...command, "--events", events], application.env);
          expect(stored).toEqual(fromFiles);
        }
      }
    }
    const { code, stderr } = await runHere(["explain", "nobody"], application.env);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^clientela: .*does not know customer nobody.*\n$/),
    ]);
  });

  test("dead-letters list says what was refused, and filters by reason and topic", async () => {
    const all = jsonLines(await ok(["dead-letters", "list", "--json"]));
    expect(all.map(({ reason }) => reason).sort()).toEqual(["future_event", "unknown_currency"]);
    const scale = await ok(["dead-letters", "list", "--reason", "future_event"]);
    expect(scale.trimEnd().split("\n")).toEqual([
      expect.stringContaining(`future_event  ${application.prefix}surveys-`),
    ]);
    const orders = jsonLines(await ok(["dead-letters", "list", "--json", "--topic", "orders"]));
    expect(orders.map(({ reason }) => reason)).toEqual(["unknown_currency"]);
  });

  test("a fresh application id replays the topics from their start and publishes the same changes (S8)", async () => {
    const before = await published();
    const again = {
      ...application.env,
      CLIENTELA_APPLICATION_ID: `${application.servers.applicationId}-again`,
    };
    const { child } = await startRun(again);
    running.push(child);
    // Of anna, whom bert referred, the first run learned late, by way of another shard; where she ends is the same.
    const idsOf = (changes: Record<string, unknown>[]): unknown[] =>
      changes.filter(({ customerId }) => customerId !== "anna").map(({ changeId }) => changeId);
    const annaIn = (changes: Record<string, unknown>[]): unknown =>
      changes.findLast(({ customerId }) => customerId === "anna")?.["current"];
    await until(
      "everybody again",
      30_000,
      async () => {
        const now = await published();
        const isAnnaThere =
          isDeepStrictEqual(annaIn(now), annaIn(before)) && now.length > 2 * idsOf(before).length;
        return isAnnaThere && idsOf(now).length >= 2 * idsOf(before).length;
      },
      child,
    );
    child.process.kill("SIGTERM");
    expect(await child.ended).toBe(0);
    const after = await published();
    expect(idsOf(after).sort()).toEqual([...idsOf(before), ...idsOf(before)].sort());
    expect(annaIn(after)).toEqual(annaIn(before));
  });

  test("watch follows until Ctrl-C, and leaves no consumer group behind", async () => {
    const child = start(["watch", "--from-beginning"], application.env);
    running.push(child);
    await until("a line", 30_000, () => child.stdout().includes("\n"), child);
    child.process.kill("SIGINT");
    expect(await child.ended).toBe(0);
    const admin = kafkaClient(application.servers, LOGGER).admin();
    await admin.connect();
    try {
      const { groups } = await admin.listGroups();
      expect(
        groups
          .map(({ groupId }) => groupId)
          .filter((id) => id.startsWith(`${application.servers.applicationId}-reader`)),
      ).toEqual([]);
    } finally {
      await admin.disconnect();
    }
  });
});

/** Sum of a counter over its labels. */
function sum(metrics: string, name: string): number {
  return metrics
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
