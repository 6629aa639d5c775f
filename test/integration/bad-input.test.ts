import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import kafkajs, { type IHeaders, type KafkaMessage, type Message } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeChange } from "../../src/adapters/avro/encoder.ts";
import { registryOf, type RunningProcessor } from "../../src/app/compose-kafka.ts";
import { builtInPolicy } from "../../src/app/policy-file.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import {
  INPUT_TOPICS,
  type CustomerEvent,
  type DeadLetterReason,
  type FactTopic,
  type OrderPlaced,
  type Survey,
} from "../../src/domain/events.ts";
import { DAY_MS, instant, type Instant } from "../../src/shared/instant.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import { jsonLines } from "../child.ts";
import { changesOf, replayTexts } from "../replayed.ts";
import { openRig, type Rig } from "./bad-input-rig.ts";

const PARTITIONS = 3;
const HOUR_MS = 3_600_000;
const NOW = Date.now();
/** So many days before now, and some hours, so that no deadline falls on this very minute. */
const ago = (days: number): Instant => instant(NOW - days * DAY_MS - 7 * HOUR_MS);

const CUSTOMERS = ["anna", "bruno", "żółć\u0000\u{1f600}"] as const;
/** The customer all bad records claim to be about. */
const VICTIM = CUSTOMERS[0];

let events = 0;
const placed = (customerId: string, orderId: string, occurredAt: Instant, revision = 0): OrderPlaced => ({
  topic: "orders",
  eventId: `e${events++}`,
  customerId,
  occurredAt,
  orderId,
  kind: "PLACED",
  revision,
  amountMinor: 4990,
  currency: null,
  costMinor: 1000,
  units: 1,
  categories: ["tea"],
  dueAt: null,
  referredBy: null,
});
const survey = (customerId: string, occurredAt: Instant): Survey => ({
  topic: "surveys",
  eventId: `e${events++}`,
  customerId,
  occurredAt,
  surveyId: `s${events}`,
  score: 9,
  scaleMin: 1,
  scaleMax: 10,
  revision: 0,
});

/** Lives with all kinds of changes: a first purchase long settled, some in a row, silence, and again. As a shop sends them. */
const GOOD: readonly (CustomerEvent & { occurredAt: Instant })[] = CUSTOMERS.flatMap((customer, i) => [
  placed(customer, `${customer}-settled`, ago(1300 + i)),
  ...[400, 380, 360, 340].map((days) => placed(customer, `${customer}-${days}`, ago(days + i))),
  survey(customer, ago(330 + i)),
  placed(customer, `${customer}-late`, ago(40 + i)),
  placed(customer, `${customer}-last`, ago(10 + i)),
  placed(customer, `${customer}-after`, ago(1 + i / 10)),
]).sort((a, b) => a.occurredAt - b.occurredAt);

interface Bad {
  readonly what: string;
  readonly reason: DeadLetterReason;
  readonly topic: FactTopic;
  readonly message: Message;
}

/** Everything that S2.3 refuses, at the victim's key unless the key is what is wrong; the last ones claim to be of these days. */
function badRecords({ encoder }: Rig): readonly Bad[] {
  const order = placed(VICTIM, "bad", ago(200));
  const at = (value: Buffer | null, key: Buffer | null = Buffer.from(VICTIM)): Message => ({
    key,
    value,
    partition: partitionOf(key ?? Buffer.from(VICTIM), PARTITIONS),
  });
  const event = (changed: object): Message => at(encoder.event({ ...order, ...changed }));
  const unknownId = encoder.event(order);
  unknownId.writeUInt32BE(2_000_000_000, 1);
  const oddSurvey = encoder.event({ ...survey(VICTIM, ago(200)), score: 0 });
  return [
    { what: "random bytes", reason: "undecodable", topic: "orders", message: at(randomBytes(200)) },
    { what: "no value", reason: "undecodable", topic: "orders", message: at(null) },
    { what: "an empty value", reason: "undecodable", topic: "customers", message: at(Buffer.alloc(0)) },
    { what: "two megabytes", reason: "undecodable", topic: "orders", message: at(randomBytes(2_000_000)) },
    { what: "an unknown schema id", reason: "unknown_schema", topic: "orders", message: at(unknownId) },
    {
      what: "another customer's key",
      reason: "missing_key",
      topic: "orders",
      message: at(encoder.event(order), Buffer.from("somebody")),
    },
    { what: "no key", reason: "missing_key", topic: "orders", message: at(encoder.event(order), null) },
    { what: "score 0 on scale 1–10", reason: "invalid_scale", topic: "surveys", message: at(oddSurvey) },
    { what: "the year 1970", reason: "invalid_time", topic: "orders", message: event({ occurredAt: 1000 }) },
    { what: "negative money", reason: "invalid_field", topic: "orders", message: event({ amountMinor: -1 }) },
    {
      what: "a currency without a rate",
      reason: "unknown_currency",
      topic: "orders",
      message: event({ currency: "USD" }),
    },
    {
      what: "an amendment of what is settled",
      reason: "too_late",
      topic: "orders",
      message: event({ orderId: `${VICTIM}-settled`, revision: 1, occurredAt: ago(5) }),
    },
    {
      what: "an hour ahead",
      reason: "future_event",
      topic: "orders",
      message: event({ occurredAt: NOW + HOUR_MS }),
    },
  ];
}

const HEADERS: IHeaders = {
  trace: randomBytes(16),
  twice: [Buffer.from("one"), Buffer.from([0, 255])],
  empty: Buffer.alloc(0),
};

describe("bad records among good ones (S2.3, A6)", () => {
  let rig: Rig;
  let running: RunningProcessor;
  let bad: readonly Bad[];
  let deadLetters: readonly KafkaMessage[];
  let changes: readonly (readonly [customerId: string, change: SegmentChange | null])[];

  beforeAll(async () => {
    rig = await openRig(PARTITIONS);
    await rig.admin.alterConfigs({
      validateOnly: false,
      resources: ["orders"].map((topic) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: rig.prefix + topic,
        configEntries: [
          { name: "max.message.bytes", value: "4000000" },
          { name: "message.timestamp.type", value: "LogAppendTime" },
          { name: "retention.ms", value: "-1" },
        ],
      })),
    });
    bad = badRecords(rig);
    // Good ones before, between and after. Where a bad one names a time, it comes at that time: the merge of topics goes by it (A3).
    const waiting = [...bad];
    const dated = waiting.splice(-3);
    for (const event of GOOD) {
      const days = (NOW - event.occurredAt) / DAY_MS;
      const due =
        days > 300
          ? waiting.splice(0, 1)
          : days < 100 && days > 20
            ? dated.splice(0, 1)
            : days < 8
              ? dated.splice(0)
              : [];
      for (const each of due) await sendBad(rig, each);
      await sendGood(rig, event);
    }
    expect([waiting, dated]).toEqual([[], []]);
    running = await rig.start(builtInPolicy());
    // Waits for all shards: those whose assignment has not come yet are not among those that settle.
    while (running.processor.shards.length < PARTITIONS || running.processor.troubles().length > 0)
      await sleep(20);
    await running.processor.settled();
    deadLetters = await rig.records("segment-dead-letters");
    const registry = registryOf(rig.servers);
    changes = await Promise.all(
      (await rig.records("segment-changes")).map(
        async ({ key, value }) =>
          [key?.toString() ?? "", value === null ? null : await decodeChange(registry, value)] as const,
      ),
    );
  });
  afterAll(async () => {
    await running.stop();
    await rig.close();
  });

  test("each is in the dead-letter topic, for its reason, and nothing else is", () => {
    const expected = bad.map(({ what, reason }) => `${what}: ${reason}`).sort();
    const found = deadLetters.map((letter) => {
      const odd = bad.find(({ message }) => isSame(message, letter));
      return `${odd?.what ?? "?"}: ${header(letter, "reason")}`;
    });
    expect(found.sort()).toEqual(expected);
  });

  test("with key, value and headers as they came", () => {
    for (const letter of deadLetters) {
      const own = Object.entries(letter.headers ?? {}).filter(
        ([name]) => !name.startsWith("clientela_error_"),
      );
      expect(Object.fromEntries(own)).toEqual(HEADERS);
    }
  });

  test("with the place it came from, where it can be found", async () => {
    for (const topic of INPUT_TOPICS) {
      const source = await rig.records(topic);
      for (const letter of deadLetters.filter((each) => header(each, "topic") === rig.prefix + topic)) {
        const partition = Number(header(letter, "partition"));
        expect(partition).toBe(bad.find(({ message }) => isSame(message, letter))?.message.partition);
        const at = source.filter(({ offset }) => Number(offset) === Number(header(letter, "offset")));
        expect(at.some((record) => isSame(record, letter))).toBe(true);
      }
    }
  });

  test("with a sentence that says what is wrong, and no customer's data in it", () => {
    for (const letter of deadLetters) {
      expect(header(letter, "message").length).toBeGreaterThan(10);
      expect(header(letter, "message")).not.toContain(VICTIM);
    }
  });

  test("the good ones are classified as if the bad ones had never been", async () => {
    const expected = await replayed(GOOD.map((event) => JSON.stringify(event)));
    expect(expected.deadLetters).toEqual([]);
    for (const customer of CUSTOMERS) {
      const told = changes
        .filter(([customerId]) => customerId === customer)
        .map(([, change]) => toldBy(change));
      expect(told, customer).toEqual(
        expected.changes.filter(([id]) => id === customer).map(([, change]) => toldBy(change)),
      );
      expect(told.length).toBeGreaterThan(5);
    }
    expect(new Set(changes.map(([customerId]) => customerId))).toEqual(new Set(CUSTOMERS));
  });

  test("offsets went on to the end: there is no lag", async () => {
    const groupId = rig.env["CLIENTELA_APPLICATION_ID"] ?? "";
    for (const topic of INPUT_TOPICS) {
      const name = rig.prefix + topic;
      const ends = await rig.admin.fetchTopicOffsets(name);
      await expect
        .poll(
          async () => {
            const [committed] = await rig.admin.fetchOffsets({ groupId, topics: [name] });
            return committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]).sort();
          },
          { timeout: 30_000, message: topic },
        )
        .toEqual(ends.map(({ partition, high }) => [partition, Number(high)]).sort());
    }
  });
});

describe("bad lines of a file, through replay (I2)", () => {
  test("are refused for the same reasons, with file and line, and the rest goes on", async () => {
    const victim = GOOD.filter(({ customerId }) => customerId === VICTIM);
    const line = (event: CustomerEvent, changed: object = {}): string =>
      JSON.stringify({ ...event, ...changed });
    const order = placed(VICTIM, "bad", ago(200));
    const lines = [
      ...victim.slice(0, 4).map((event) => line(event)),
      randomBytes(40).toString("latin1").replaceAll("\n", " "),
      line(order, { customerId: "" }),
      line(survey(VICTIM, ago(200)), { score: 0 }),
      line(order, { occurredAt: 1000 }),
      line(order, { amountMinor: -1 }),
      ...victim.slice(4, 6).map((event) => line(event)),
      line(order, { currency: "USD" }),
      ...victim.slice(6, 8).map((event) => line(event)),
      line(placed(VICTIM, `${VICTIM}-settled`, ago(5), 1)),
      ...victim.slice(8).map((event) => line(event)),
    ];
    const { deadLetters, changes, file } = await replayed(lines);
    const byLine = [...deadLetters].sort((a, b) => a.source.line - b.source.line);
    expect(byLine.map((each) => [each.source.line, each.reason])).toEqual([
      [5, "undecodable"],
      [6, "invalid_field"],
      [7, "invalid_scale"],
      [8, "invalid_time"],
      [9, "invalid_field"],
      [12, "unknown_currency"],
      [15, "too_late"],
    ]);
    expect(new Set(deadLetters.map((each) => each.source.file))).toEqual(new Set([file]));
    const expected = await replayed(victim.map((event) => line(event)));
    expect(changes.map(([, change]) => toldBy(change))).toEqual(
      expected.changes.map(([, change]) => toldBy(change)),
    );
  });
});

async function sendGood(rig: Rig, event: CustomerEvent): Promise<void> {
  const key = Buffer.from(event.customerId, "utf8");
  const message = { key, value: rig.encoder.event(event), partition: partitionOf(key, PARTITIONS) };
  await rig.send(event.topic, [message]);
}

async function sendBad(rig: Rig, { topic, message }: Bad): Promise<void> {
  await rig.send(topic, [{ ...message, headers: HEADERS }]);
}

function header({ headers }: KafkaMessage, name: string): string {
  return String(headers?.[`clientela_error_${name}`]);
}

function isSame(a: Pick<Message, "key" | "value">, b: Pick<Message, "key" | "value">): boolean {
  const hex = (bytes: Message["value"] | undefined): string =>
    bytes == null ? "null" : Buffer.from(bytes).toString("hex");
  return hex(a.key) === hex(b.key) && hex(a.value) === hex(b.value);
}

/** What a change says, without what differs from run to run (S8: seq, decidedAt, origin). */
function toldBy(change: SegmentChange | null): object | null {
  if (change === null) return null;
  const { seq: _seq, decidedAt: _decidedAt, origin: _origin, ...told } = change;
  return told;
}

interface Replayed {
  readonly file: string;
  readonly changes: readonly (readonly [customerId: string, change: SegmentChange | null])[];
  readonly deadLetters: readonly {
    readonly reason: string;
    readonly source: { file: string; line: number };
  }[];
}

async function replayed(lines: readonly string[]): Promise<Replayed> {
  const folder = mkdtempSync(join(tmpdir(), "clientela-bad-input-"));
  try {
    const file = join(folder, "events.jsonl");
    writeFileSync(file, lines.join("\n"));
    const { changes, deadLetters } = await replayTexts([file], { asOf: NOW });
    return {
      file,
      changes: changesOf(changes),
      deadLetters: jsonLines(deadLetters) as unknown as Replayed["deadLetters"],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
