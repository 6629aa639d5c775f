import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KafkaMessage, Message } from "kafkajs";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeChange } from "../../src/adapters/avro/encoder.ts";
import { registryOf } from "../../src/app/compose-kafka.ts";
import type { OrderPlaced, Survey } from "../../src/domain/events.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { jsonLines, start, type Ended } from "../child.ts";
import { runHere } from "../cli/in-process.ts";
import { testPolicy } from "../policy.ts";
import { openRig, type Rig } from "./bad-input-rig.ts";

const PARTITIONS = 3;
const ago = (days: number): ReturnType<typeof instant> => instant(Date.now() - days * DAY_MS);
const folder = mkdtempSync(join(tmpdir(), "clientela-dead-letters-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let rig: Rig;
beforeEach(async () => {
  rig = await openRig(PARTITIONS);
});
afterEach(() => rig.close());

const command = (...args: string[]): Promise<Ended> => runHere(["dead-letters", ...args], rig.env);

let events = 0;
const survey = (customerId: string, score: number): Survey => ({
  topic: "surveys",
  eventId: `e${events++}`,
  customerId,
  occurredAt: ago(3),
  surveyId: `s${events}`,
  score,
  scaleMin: 0,
  scaleMax: 10,
  revision: 0,
});
const order = (customerId: string, currency: string | null): OrderPlaced => ({
  topic: "orders",
  eventId: `e${events++}`,
  customerId,
  occurredAt: ago(3),
  orderId: `o${events}`,
  kind: "PLACED",
  revision: 0,
  amountMinor: 4990,
  currency,
  costMinor: 0,
  units: 1,
  categories: [],
  dueAt: null,
  referredBy: null,
});

function messageOf(event: Survey | OrderPlaced): Message & { key: Buffer; value: Buffer } {
  const key = Buffer.from(event.customerId);
  return { key, value: rig.encoder.event(event), partition: partitionOf(key, PARTITIONS) };
}

/** Writes dead letters as a shard would, of surveys that nobody needs to have read. */
async function refuse(
  count: number,
  rest: { headers?: Record<string, string>; timestamp?: string } = {},
): Promise<void> {
  const letters = Array.from({ length: count }, (_, i) => {
    const message = messageOf(survey(`c${i}`, 80));
    return {
      ...message,
      ...(rest.timestamp === undefined ? {} : { timestamp: rest.timestamp }),
      headers: {
        ...rest.headers,
        clientela_error_topic: `${rig.prefix}surveys`,
        clientela_error_partition: String(message.partition),
        clientela_error_offset: String(events),
        clientela_error_reason: "invalid_scale",
        clientela_error_message: "score is above scaleMax",
      },
    };
  });
  for (let from = 0; from < count; from += 1000) {
    await rig.send("segment-dead-letters", letters.slice(from, from + 1000));
  }
}

async function untilRefused(count: number): Promise<void> {
  const deadline = Date.now() + 60_000;
  while ((await rig.records("segment-dead-letters")).length < count) {
    if (Date.now() > deadline) throw new Error("the dead letters did not come");
  }
}

function header({ headers }: KafkaMessage, name: string): string {
  return String(headers?.[name]);
}

/** How often each source was sent back, as a reader of committed records sees it. */
async function timesSent(topic = "surveys"): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for (const message of await rig.records(topic)) {
    const from = header(message, "clientela_redriven_from");
    times.set(from, (times.get(from) ?? 0) + 1);
  }
  return times;
}

/** End offsets of all topics: control records of aborted transactions would show too. */
async function ends(): Promise<unknown> {
  const topics = (await rig.admin.listTopics()).filter((topic) => topic.startsWith(rig.prefix)).sort();
  return Promise.all(topics.map((topic) => rig.admin.fetchTopicOffsets(topic)));
}

describe("redrive as they were (A6)", () => {
  test("once the policy has learned a currency, each order counts, and is listed as sent back", async () => {
    const first = await rig.start(testPolicy());
    const orders = ["anna", "bert", "carl"].map((customerId) => order(customerId, "USD"));
    for (const each of orders) {
      await rig.send("orders", [{ ...messageOf(each), headers: { trace: "t1", "content-type": "avro" } }]);
    }
    await untilRefused(3);
    await first.stop();
    const refused = await rig.records("segment-dead-letters");

    const before = jsonLines((await command("list", "--json", "--pending")).stdout);
    expect(
      before
        .map(({ reason, redrivenAt, event }) => [reason, redrivenAt, (event as OrderPlaced).eventId])
        .sort(),
    ).toEqual(orders.map(({ eventId }) => ["unknown_currency", null, eventId]));
    const { code, stdout, stderr } = await command("redrive", "--reason", "unknown_currency", "--json");
    expect([code, stderr]).toEqual([0, "3 sent, 0 left, 0 failed, 0 sent back before\n"]);
    expect(jsonLines(stdout).map(({ to }) => (to as { topic: string }).topic)).toEqual([
      "orders",
      "orders",
      "orders",
    ]);
    expect(await command("redrive")).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "0 sent, 0 left, 0 failed, 3 sent back before\n",
    });
    expect((await command("list", "--pending")).stdout).toBe("");
    const after = jsonLines((await command("list", "--json")).stdout);
    expect(after).toHaveLength(3);
    for (const { redrivenAt } of after)
      expect(Date.now() - Date.parse(String(redrivenAt))).toBeLessThan(60_000);

    const sent = (await rig.records("orders")).filter(({ headers }) => headers?.["clientela_redriven_from"]);
    expect(sent).toHaveLength(3);
    for (const message of sent) {
      const from = header(message, "clientela_redriven_from");
      const letter = refused.find(
        (each) =>
          `${header(each, "clientela_error_topic")}-${header(each, "clientela_error_partition")}@${header(each, "clientela_error_offset")}` ===
          from,
      );
      expect([message.key, message.value]).toEqual([letter?.key, letter?.value]);
      expect(Object.keys(message.headers ?? {}).sort()).toEqual([
        "clientela_redriven_from",
        "content-type",
        "trace",
      ]);
    }

    const second = await rig.start(
      testPolicy({ rates: { USD: [{ from: "2020-01-01T00:00:00Z", rate: 0.9 }] } }),
    );
    const registry = registryOf(rig.servers);
    await expect
      .poll(
        async () => {
          const changes = await rig.records("segment-changes");
          const bought = await Promise.all(
            changes.map(async ({ value }) => (value === null ? null : await decodeChange(registry, value))),
          );
          return bought.map((change) => [change?.customerId, change?.facts.revenueMinor]).sort();
        },
        { timeout: 60_000 },
      )
      .toEqual(orders.map(({ customerId }) => [customerId, 4491]));
    await second.stop();
  });

  test("killed in the middle, again and again: each goes back once, none is forgotten", async () => {
    const count = 4000;
    await refuse(count);
    // After so long from a transaction's end: some hit the next one before it, some in it, some behind it.
    const killsAfterMs = [0, 3, 6, 9, 12, 15, 20, 25];
    for (const afterMs of killsAfterMs) {
      const child = start(["dead-letters", "redrive"], rig.env);
      while (child.process.exitCode === null && child.stdout().split("\n").length <= 100) {
        await new Promise(setImmediate);
      }
      await sleep(afterMs);
      child.process.kill("SIGKILL");
      expect(await child.ended).toBe("SIGKILL");
    }
    expect(await command("redrive")).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /^[1-9]\d* sent, 0 left, 0 failed, [1-9]\d* sent back before\n$/,
      ) as string,
    });
    const times = await timesSent();
    expect(times.size).toBe(count);
    expect(new Set(times.values())).toEqual(new Set([1]));
  });

  test("two at once, the first frozen meanwhile: the later one takes over, and each goes back once", async () => {
    const count = 3000;
    await refuse(count);
    const first = start(["dead-letters", "redrive"], rig.env);
    while (first.process.exitCode === null && first.stdout().split("\n").length <= 200) await sleep(2);
    first.process.kill("SIGSTOP");
    const second = start(["dead-letters", "redrive"], rig.env);
    expect(await second.ended).toBe(0);
    first.process.kill("SIGCONT");
    expect(await first.ended).toBe(1);
    expect(first.stderr()).toContain("another redrive has begun");
    const times = await timesSent();
    expect(times.size).toBe(count);
    expect(new Set(times.values())).toEqual(new Set([1]));
    // What was told as sent is sent; a commit whose answer the fence cut off may have been sent untold.
    const told = [first, second].flatMap((child) => child.stdout().trimEnd().split("\n"));
    expect(new Set(told).size).toBe(told.length);
    expect(told.length).toBeLessThanOrEqual(count);
  });

  test("two begun at the same moment, and a third for what they left: each goes back once", async () => {
    const count = 1500;
    await refuse(count);
    const both = [start(["dead-letters", "redrive"], rig.env), start(["dead-letters", "redrive"], rig.env)];
    const codes = await Promise.all(both.map(({ ended }) => ended));
    expect(codes).toContain(0);
    expect((await command("redrive")).code).toBe(0);
    const times = await timesSent();
    expect(times.size).toBe(count);
    expect(new Set(times.values())).toEqual(new Set([1]));
  });

  test("a dry run tells the same and changes nothing", async () => {
    await refuse(5);
    const before = await ends();
    const { code, stdout, stderr } = await command("redrive", "--dry-run");
    expect([code, stderr]).toEqual([0, "5 would be sent, 0 left, 0 failed, 0 sent back before\n"]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(5);
    expect(await ends()).toEqual(before);
  });

  test("a mark is of one topic: what is refused in the same place of one that was made anew is not hidden by it", async () => {
    await refuse(1, { headers: { clientela_error_topic_id: "first" } });
    expect((await command("redrive")).stderr).toBe("1 sent, 0 left, 0 failed, 0 sent back before\n");
    const [letter] = await rig.records("segment-dead-letters");
    const { key, value } = letter!;
    const anew = { ...letter!.headers, clientela_error_topic_id: "second" };
    await rig.send("segment-dead-letters", [{ key, value, headers: anew, partition: 0 }]);
    const pending = jsonLines((await command("list", "--pending", "--json")).stdout);
    expect(pending).toHaveLength(1);
    expect((await command("redrive")).stderr).toBe("1 sent, 0 left, 0 failed, 1 sent back before\n");
    expect((await command("redrive")).stderr).toBe("0 sent, 0 left, 0 failed, 2 sent back before\n");
    expect([...(await timesSent()).values()]).toEqual([2]);
  });

  test("a letter published twice goes back once", async () => {
    await refuse(1);
    const [letter] = await rig.records("segment-dead-letters");
    await rig.send("segment-dead-letters", [
      { key: letter!.key, value: letter!.value, headers: letter!.headers! },
    ]);
    expect((await command("redrive")).stderr).toBe("1 sent, 0 left, 0 failed, 0 sent back before\n");
    expect([...(await timesSent()).values()]).toEqual([1]);
  });

  test("without transactions it is refused, not done by halves", async () => {
    const env = { ...rig.env, CLIENTELA_DELIVERY: "at-least-once" };
    const { code, stderr } = await runHere(["dead-letters", "redrive"], env);
    expect([code, stderr]).toEqual([2, expect.stringContaining("redrive needs transactions")]);
  });
});

/** The example of the guide is what is run here. */
function exampleScript(): string {
  const guide = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
  const [, script] = /```js\n(\/\/ repair\.js\n[^]*?)```/.exec(guide) ?? [];
  if (script === undefined) throw new Error("docs/operations.md has no repair script");
  return script;
}

function scriptFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("redrive repaired", () => {
  test("by the script of the guide: the processor takes what it makes", async () => {
    const running = await rig.start(testPolicy());
    const bad = survey("anna", 80);
    await rig.send("surveys", [messageOf(bad)]);
    await untilRefused(1);
    const script = scriptFile("guide.mjs", exampleScript());
    const { code, stderr } = await command("redrive", "--repair", script);
    expect([code, stderr]).toEqual([0, "1 sent, 0 left, 0 failed, 0 sent back before\n"]);
    const [, repaired] = await rig.records("surveys");
    expect(repaired?.value?.equals(rig.encoder.event({ ...bad, score: 8 }))).toBe(true);
    await sleep(1000);
    expect(await rig.records("segment-dead-letters")).toHaveLength(1);
    await running.stop();
  });

  test("what the script leaves, breaks or gets wrong stays as it was, and is said", async () => {
    await refuse(6);
    const script = scriptFile(
      "mixed.mjs",
      `export default async (letter) => {
         switch (letter.event.customerId) {
           case "c0": return null;
           case "c1": throw new Error("no idea");
           case "c2": return { event: letter.event };
           case "c3": return { topic: "nowhere", event: { ...letter.event, score: 8 } };
           case "c4": letter.event.score = 8; return letter;
           default: return { key: "other", value: Buffer.from("raw"), headers: { by: "hand" } };
         }
       };`,
    );
    const { code, stdout, stderr } = await command("redrive", "--repair", script);
    expect(code).toBe(1);
    expect(stdout.trimEnd().split("\n")).toHaveLength(2);
    expect(stderr).toContain(": left\n");
    expect(stderr).toContain(": the repair script threw: no idea\n");
    expect(stderr).toContain(": the repaired event would be refused again: ");
    expect(stderr).toContain(": nowhere is no input of this installation\n");
    expect(stderr).toContain("2 sent, 1 left, 3 failed, 0 sent back before\n");
    expect(jsonLines((await command("list", "--json", "--pending")).stdout)).toHaveLength(4);
    const sent = (await rig.records("surveys")).map(({ key, headers }) => [
      String(key),
      String(headers?.["by"]),
    ]);
    expect(sent.sort()).toEqual([
      ["c4", "undefined"],
      ["other", "hand"],
    ]);
  });

  test("a script that can't be used is refused before anything is sent", async () => {
    await refuse(1);
    for (const [name, text, why] of [
      ["none.mjs", "export const repair = 1;", /must export a function as default/],
      ["broken.mjs", "export default (", /can't be loaded/],
    ] as const) {
      const { code, stderr } = await command("redrive", "--repair", scriptFile(name, text));
      expect([code, stderr]).toEqual([2, expect.stringMatching(why)]);
    }
    expect((await timesSent()).size).toBe(0);
  });
});

describe("selection", () => {
  test("by time, by record and by number, for list and redrive alike", async () => {
    const old = Date.now() - 10 * DAY_MS;
    await refuse(2, { timestamp: String(old) });
    await refuse(3);
    const idsOf = async (...args: string[]): Promise<string[]> => {
      const { stdout } = await command("list", "--json", ...args);
      return jsonLines(stdout).map(({ source }) => {
        const { topic, partition, offset } = source as { topic: string; partition: number; offset: number };
        return `${topic}-${partition}@${offset}`;
      });
    };
    const all = await idsOf();
    expect(all).toHaveLength(5);
    expect(await idsOf("--since", "P1D")).toHaveLength(3);
    expect(await idsOf("--until", "P1D")).toHaveLength(2);
    expect(
      await idsOf("--since", new Date(old - 1).toISOString(), "--until", new Date(old + 1).toISOString()),
    ).toHaveLength(2);
    expect(await idsOf("--limit", "4")).toHaveLength(4);
    expect(await idsOf("--topic", "orders")).toEqual([]);
    expect(await idsOf("--reason", "undecodable", "too_late")).toEqual([]);
    const [one, two] = (await idsOf("--since", "P1D")) as [string, string];
    expect((await idsOf("--record", one, "--record", two)).sort()).toEqual([one, two].sort());

    expect((await command("redrive", "--record", two)).code).toBe(0);
    expect([...(await timesSent()).keys()]).toEqual([two]);
    expect(await command("redrive", "--until", "P1D", "--limit", "1")).toMatchObject({
      code: 0,
      stderr: "1 sent, 0 left, 0 failed, 0 sent back before\n",
    });
    const absent = await command("redrive", "--record", "orders-0@99");
    expect([absent.code, absent.stderr]).toEqual([
      1,
      expect.stringContaining("no such dead letter: orders-0@99"),
    ]);
    const wrong = await command("list", "--since", "yesterday");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("--since")]);
  });
});
