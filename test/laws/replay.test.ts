import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { readEventFiles } from "../../src/adapters/embedded/event-files.ts";
import type { NewRecord } from "../../src/adapters/embedded/embedded-log.ts";
import { eventLine } from "../../src/app/simulation/event-line.ts";
import type { SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import { customerFromFiles } from "../../src/app/look-up.ts";
import { changeLine, timelineLine } from "../../src/app/result-lines.ts";
import { newCustomer, type Customer } from "../../src/domain/customer.ts";
import { changeOf } from "../../src/domain/draft.ts";
import { acceptEvent } from "../../src/domain/accept.ts";
import type { CustomerEvent, FactTopic } from "../../src/domain/events.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import type { FoldOutput } from "../../src/domain/fold-api.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { timeline as timelineOf } from "../../src/domain/timeline.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";
import { compareUtf8 } from "../../src/shared/utf8-order.ts";
import { jsonLines } from "../child.ts";
import { replayTexts, type ReplayTexts } from "../replayed.ts";
import { arrival } from "./arrival.ts";
import { DAY, erasableHistory, SHORT_MEMORY, START, WORLDS } from "./histories.ts";
import { replayByPipeline, withoutSeq } from "./replay-by-pipeline.ts";

const folder = mkdtempSync(join(tmpdir(), "clientela-laws-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NEVER = new AbortController().signal;
const DAYS = 900;
const CUSTOMERS = ["c1", "c2", "é\u{1f600}", 'a "quoted" one', "\uffff"];
/** Only those that an order may name, and one more. */
const REFERRERS = ["c1", "c2", "c3"];

/** Lines that are no events, some with all that a scan looks for. */
const BAD_LINES = [
  "not JSON",
  "[]",
  '{"topic":"orders"}',
  '{"topic":"surveys","eventId":"b","customerId":"c1","occurredAt":"2025-02-01T00:00:00Z","surveyId":"b","score":99}',
  '{"topic":"orders","eventId":"b","customerId":"c2","occurredAt":"2999-01-01T00:00:00Z"}',
  '{"topic":"customers","eventId":"b","occurredAt":1736000000000,"kind":"RECORDED","source":"x","attributes":{"customerId":"c1"}}',
  '{"topic":"orders","eventId":"b","customerId":"c1","occurredAt":"1970-01-01T00:00:00Z","orderId":"x","kind":"PAID"}',
];

/** The same event written in ways that a scan for its keys can't all follow. */
const SPELLINGS: readonly ((event: SimulatedEvent) => string)[] = [
  (event) => eventLine(event).trim(),
  (event) => eventLine(event).trim().replace('"customerId":', '"customerId" : '),
  (event) => JSON.stringify(event),
  (event) =>
    JSON.stringify({ ...event, customerId: "somebody else" }).replace(
      /}$/,
      `,"customerId":${JSON.stringify(event.customerId)}}`,
    ),
  (event) => JSON.stringify(event).replace('"occurredAt"', '"\\u006fccurredAt"'),
];

function linesOf(customers: readonly string[]): fc.Arbitrary<string[]> {
  const own = customers.map((customerId) =>
    arrival(
      erasableHistory(DAYS, 12)
        .map((events) => events.filter(({ topic }) => topic !== "referrals"))
        .filter((events) => events.length > 0),
    ).map((events) =>
      events.map(
        (event) =>
          ({
            ...event,
            customerId,
            eventId: `${customerId} ${"eventId" in event ? event.eventId : ""}`,
          }) as SimulatedEvent,
      ),
    ),
  );
  return fc
    .tuple(...own)
    .chain((lists) => {
      // Whose event comes next: each customer's stay in their order of arrival.
      const turns = lists.flatMap((list, i) => list.map(() => i));
      return fc.tuple(fc.constant(lists), fc.shuffledSubarray(turns, { minLength: turns.length }));
    })
    .chain(([lists, turns]) => {
      const nexts = lists.map((list) => list[Symbol.iterator]());
      const events = turns.map((i) => nexts[i]!.next().value!);
      return fc.tuple(...events.map((event) => fc.constantFrom(...SPELLINGS).map((spell) => spell(event))));
    });
}

/** The instants between which a run may end; null: the newest event. */
const asOfs = fc.option(fc.integer({ min: 0, max: DAYS + 800 }).map((day) => START + day * DAY));
const worlds = fc.constantFrom(...WORLDS, SHORT_MEMORY);

function write(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
  return path;
}

const textLines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
const plainLines = (text: string): string[] =>
  jsonLines(text).map((line) => JSON.stringify(withoutSeq(line)));

/** Each customer through a pipeline of its own: there the merge of topics knows no others either. */
async function expectAsByPipeline(
  files: readonly string[],
  found: ReplayTexts,
  policy: Policy,
  end: number | null = null,
): Promise<void> {
  const { asOf } = found.replayed;
  const byCustomer = new Map<string, NewRecord[]>();
  let newest = 0;
  for await (const records of await readEventFiles(files)) {
    for (const record of records) {
      const { decoded } = record;
      if (decoded?.kind === "event" && decoded.event.topic !== "referrals")
        newest = Math.max(newest, decoded.event.occurredAt);
      if (decoded?.kind === "event" && decoded.event.topic !== "referrals" && decoded.event.occurredAt > asOf)
        continue;
      const id = decoded?.kind === "event" ? decoded.event.customerId : "";
      byCustomer.set(id, [...(byCustomer.get(id) ?? []), record]);
    }
  }
  expect(asOf).toBe(end ?? newest);
  const changes = jsonLines(found.changes);
  const inOrder = [...byCustomer].sort(([a], [b]) => compareUtf8(a, b));
  const expected = new Map<string, Awaited<ReturnType<typeof replayByPipeline>>>();
  for (const [id, records] of inOrder) {
    const one = await replayByPipeline(records, asOf, policy);
    expected.set(id, one);
    const own = changes.filter(({ customerId }) => customerId === id);
    expect(own.map((change) => JSON.stringify(withoutSeq(change)))).toEqual(one.changes);
    expect(own.flatMap(({ seq }) => seq ?? [])).toEqual(
      own.flatMap(({ tombstone }, i) => (tombstone === true ? [] : i + 1)),
    );
  }
  const all = [...expected.values()];
  expect(changes).toHaveLength(all.reduce((sum, each) => sum + each.changes.length, 0));
  expect(found.replayed.changes).toBe(changes.length);
  expect(plainLines(found.segments)).toEqual(all.flatMap(({ segments }) => segments));
  expect(textLines(found.timeline)).toEqual(all.flatMap((each) => each.timeline));
  expect(textLines(found.deadLetters).sort()).toEqual(all.flatMap(({ deadLetters }) => deadLetters).sort());
  expect(found.replayed.deadLetters).toBe(textLines(found.deadLetters).length);
  for (const { customerId, seq } of jsonLines(found.segments)) {
    expect(seq).toBe(changes.filter((change) => change["customerId"] === customerId).length);
  }
}

const withoutReferrers = linesOf(CUSTOMERS).map((lines) =>
  lines.map((line) => line.replaceAll('"referredBy"', '"nobody"')),
);

test("a replay gives, byte by byte, what the pipeline publishes, stores and refuses, whatever arrives late, twice or unusable", async () => {
  await fc.assert(
    fc.asyncProperty(
      withoutReferrers,
      fc.array(fc.tuple(fc.constantFrom(...BAD_LINES), fc.nat(99)), { maxLength: 4 }),
      worlds,
      asOfs,
      async (good, bad, { policy }, asOf) => {
        const lines = [...good];
        for (const [line, place] of bad) lines.splice(place % (lines.length + 1), 0, line);
        const file = write("one.jsonl", lines);
        const found = await replayTexts([file], asOf === null ? { policy } : { policy, asOf });
        await expectAsByPipeline([file], found, policy, asOf);
      },
    ),
    { numRuns: 120 },
  );
});

test("so it does from several files", async () => {
  await fc.assert(
    fc.asyncProperty(
      withoutReferrers,
      fc.infiniteStream(fc.nat(2)),
      worlds,
      async (lines, parts, { policy }) => {
        const files: string[][] = [[], [], []];
        for (const line of lines) files[parts.next().value as number]?.push(line);
        const paths = files.map((part, i) => write(`part-${i}.jsonl`, part));
        await expectAsByPipeline(paths, await replayTexts(paths, { policy }), policy);
      },
    ),
    { numRuns: 60 },
  );
});

test("the bytes are the same with threads, from a scratch file, and of each result alone", async () => {
  const [lines] = fc.sample(
    fc
      .array(linesOf(REFERRERS), { minLength: 40, maxLength: 40 })
      .map((worlds) =>
        worlds.flatMap((each, i) => each.map((line) => line.replaceAll(/"(c[123])"/g, `"$1 ${i % 30}"`))),
      ),
    1,
  );
  const file = write("many.jsonl", [...(lines ?? []), ...BAD_LINES]);
  const found = await replayTexts([file]);
  for (const output of ["changes", "segments", "timeline", "deadLetters"] as const) {
    expect(textLines(found[output]).length).toBeGreaterThan(6);
    const options = [{ threads: 2 }, { memoryBytes: 0 }, { threads: 3, memoryBytes: 100_000 }];
    for (const option of options) {
      const other = await replayTexts([file], { ...option, outputs: [output] });
      expect(other[output] === found[output]).toBe(true);
      expect(other.replayed).toEqual(found.replayed);
    }
  }
});

/** One event after the other in the order of time, each referral told at once: live without any lag. */
function replayByHand(events: readonly SimulatedEvent[], asOf: Instant, policy: Policy): string[] {
  const customers = new Map<string, Customer>();
  const lines: string[] = [];
  const options = { policy, quiet: false, forget: true };
  const customerOf = (id: string): Customer => {
    const customer = customers.get(id) ?? newCustomer(id);
    customers.set(id, customer);
    return customer;
  };
  const tell = (id: string, outputs: readonly FoldOutput[]): void => {
    for (const output of outputs) {
      const change = output === null ? null : changeOf(output, 0, asOf, "REPLAY", policy);
      lines.push(JSON.stringify(withoutSeq(changeLine(id, change))));
    }
  };
  let version = 0;
  const take = (event: CustomerEvent): void => {
    const outcome = foldEvent(customerOf(event.customerId), event, null, options);
    if (outcome.kind !== "folded") return;
    tell(event.customerId, outcome.outputs);
    // Several referrers of one order are told in the order of their ids.
    const told = outcome.referrals.toSorted((a, b) => compareUtf8(a.customerId, b.customerId));
    for (const referral of told) take({ ...referral, version: version++ });
  };
  for (const event of events) take(event);
  const last: { readonly at: number; readonly id: string; readonly output: FoldOutput }[] = [];
  for (const [id, customer] of customers) {
    for (const output of advance(customer, asOf, options))
      last.push({ at: output?.effectiveAt ?? 0, id, output });
  }
  last.sort((a, b) => a.at - b.at || compareUtf8(a.id, b.id));
  for (const { id, output } of last) tell(id, [output]);
  return lines;
}

test("referrals are told to referrers at once, and changes are in the order of the events (S3.8)", async () => {
  let referrals = 0;
  await fc.assert(
    fc.asyncProperty(linesOf(REFERRERS), worlds, asOfs, async (lines, { policy }, end) => {
      // No two events share an instant: which of them comes first is for the order of topics to say.
      const events = jsonLines(lines.join("\n"))
        .map((event, i) => ({ ...event, occurredAt: instantOf(event["occurredAt"]) * 1000 + i }))
        .sort((a, b) => a.occurredAt - b.occurredAt)
        .map((event, i) => ({
          ...event,
          occurredAt: instant(Math.floor(event.occurredAt / 1000) + i),
        })) as unknown as SimulatedEvent[];
      const file = write(
        "referrals.jsonl",
        events.map((event) => JSON.stringify(event)),
      );
      const options = end === null ? { policy } : { policy, asOf: end };
      const { changes, timeline, replayed } = await replayTexts([file], options);
      const { asOf } = replayed;
      const seen = events.map(filledIn).filter(({ occurredAt }) => occurredAt <= asOf);
      expect(plainLines(changes)).toEqual(replayByHand(seen, asOf, policy));
      if (changes.includes('"topic":"referrals"')) referrals++;
      // One customer alone, as `timeline --events` shows it.
      if (end !== null) return;
      for (const id of REFERRERS) {
        const { customer, newestAt } = await customerFromFiles([file], id, policy, NEVER);
        expect(newestAt).toBe(asOf);
        const own = customer === null ? [] : timelineOf(customer, asOf, policy);
        expect(
          own.map((transition) => JSON.stringify(timelineLine({ customerId: id, ...transition }))),
        ).toEqual(textLines(timeline).filter((line) => line.startsWith(`{"customerId":"${id}"`)));
      }
    }),
    { numRuns: 150 },
  );
  expect(referrals).toBeGreaterThan(20);
});

function filledIn(raw: { readonly topic: FactTopic }): SimulatedEvent {
  const decoded = acceptEvent(raw.topic, raw);
  if (decoded.kind !== "event" || decoded.event.topic === "referrals")
    throw new Error(JSON.stringify(decoded));
  return decoded.event;
}

function instantOf(value: unknown): number {
  return typeof value === "number" ? value : Date.parse(String(value));
}
