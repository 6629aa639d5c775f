import { beforeAll, describe, expect, test } from "vitest";
import { createVirtualClock } from "../../src/adapters/embedded/clock.ts";
import { startEmbedded } from "../../src/app/compose-embedded.ts";
import type { CustomerState } from "../../src/domain/customer-state.ts";
import { nextDeadline } from "../../src/domain/fold.ts";
import { endOf } from "../../src/pipeline/shard-clock.ts";
import { instant } from "../../src/shared/instant.ts";
import { plannedFacts } from "./facts.ts";
import { Ledger } from "./ledger.ts";
import type {
  SeenChange,
  SeenDeadLetter,
  SeenInput,
  SeenRedis,
  SeenSegment,
  SeenShard,
  SeenTopics,
} from "./observed.ts";
import { WORLD } from "./policy.ts";
import { verify, type Evidence } from "./verify.ts";

const STARTED_AT = Date.UTC(2026, 4, 5, 6);
const DURATION_MS = 20_000;
const END = instant(STARTED_AT + DURATION_MS + 60_000);

let sound: Evidence;

/** A run in which nothing goes wrong, through the embedded composition. */
beforeAll(async () => {
  const ledger = new Ledger();
  const clock = createVirtualClock(instant(STARTED_AT));
  const inputs: SeenInput[] = [];
  const changes: SeenChange[] = [];
  const segments: SeenSegment[] = [];
  const deadLetters: SeenDeadLetter[] = [];
  const entryAt = new Map<string, number>();
  const engine = await startEmbedded({
    policy: WORLD.policy,
    clock,
    onCommitted(output) {
      for (const { customerId, change } of output.changes)
        changes.push({ partition: 0, offset: changes.length, customerId, change, appendedAt: clock.now() });
      for (const { customerId, segment } of output.segments)
        segments.push({ partition: 0, offset: segments.length, customerId, segment });
      for (const { record, reason } of output.deadLetters) {
        const { topic, partition, offset } = record;
        const entry = entryAt.get(`${topic}@${offset}`) ?? null;
        deadLetters.push({ partition: 0, source: { topic, partition, offset }, reason, entry, value: null });
      }
    },
  });
  const next = new Map<string, number>();
  const facts = plannedFacts({
    seed: 7,
    startedAt: STARTED_AT,
    durationMs: DURATION_MS,
    storiesPerSecond: 8,
    mixedPerSecond: 30,
  });
  for (const fact of facts) {
    // What only the wire can say is not said here.
    if (fact.event === null || (fact.refused !== null && fact.refused !== "too_late")) continue;
    clock.advanceTo(instant(Math.floor(STARTED_AT + fact.at)));
    const { topic } = fact.event;
    const entry = ledger.add(fact, topic, 0);
    const offset = next.get(topic) ?? 0;
    next.set(topic, offset + 1);
    entryAt.set(`${topic}@${offset}`, entry.index);
    ledger.acknowledged(entry, offset);
    inputs.push({ topic, partition: 0, offset, entry: entry.index, appendedAt: clock.now() });
    await engine.append([{ topic, value: null, decoded: { kind: "event", event: fact.event } }]);
    if (entry.index % 20 === 0) await engine.settle();
  }
  await engine.settle();
  clock.advanceTo(END);
  await engine.settle();
  const states = new Map<string, CustomerState>();
  const deadlines = new Map<string, number>();
  for await (const customer of engine.customers()) {
    states.set(customer.state.customerId, customer.state);
    const at = nextDeadline(customer, WORLD.policy);
    if (at !== null) deadlines.set(customer.state.customerId, at);
  }
  await engine.stop();
  const shard = { shard: 0, offsets: {}, clock: endOf(END), states, pages: new Map(), chunks: [], deadlines };
  sound = {
    ledger: ledger.entries,
    topics: { inputs, changes, segments, deadLetters },
    redis: { shards: [shard], strangeKeys: [] },
    partitions: 1,
    appliedThrough: END,
  };
});

function kindsOf(evidence: Evidence): string[] {
  return [...new Set(verify(evidence).violations.map(({ kind }) => kind))];
}

function withTopics(change: (topics: SeenTopics) => Partial<SeenTopics>): Evidence {
  return { ...sound, topics: { ...sound.topics, ...change(sound.topics) } };
}

function withShard(change: (shard: SeenShard) => Partial<SeenShard>): Evidence {
  const shard = sound.redis.shards[0]!;
  const redis: SeenRedis = { ...sound.redis, shards: [{ ...shard, ...change(shard) }] };
  return { ...sound, redis };
}

/** A change in the middle of a chain of at least three, of a customer whose list is known. */
function middleOf(changes: readonly SeenChange[]): number {
  const lengths = new Map<string, number>();
  for (const { customerId } of changes) lengths.set(customerId, (lengths.get(customerId) ?? 0) + 1);
  const seen = new Set<string>();
  return changes.findIndex(({ customerId }) => {
    const isSecond = seen.has(customerId);
    seen.add(customerId);
    return isSecond && customerId.startsWith("S-") && (lengths.get(customerId) ?? 0) >= 3;
  });
}

/** The last change of somebody, by its cause. */
function lastOf(changes: readonly SeenChange[], kind: string): number {
  return changes.findIndex(
    ({ customerId, change }, i) =>
      change?.cause.kind === kind &&
      customerId.startsWith("S-") &&
      !changes.slice(i + 1).some((later) => later.customerId === customerId),
  );
}

const without = <T>(list: readonly T[], index: number): T[] => list.filter((_item, i) => i !== index);

describe("the verifier", () => {
  test("finds nothing in a run in which nothing went wrong, and has compared a lot", () => {
    const { violations, files, ...counts } = verify(sound);
    expect(files.size).toBe(0);
    expect(violations.slice(0, 3)).toEqual([]);
    expect(counts.exact).toBeGreaterThan(150);
    expect(counts.customers).toBeGreaterThan(counts.exact);
    for (const count of [counts.corrections, counts.deadlineChanges, counts.tombstones, counts.deadLetters])
      expect(count).toBeGreaterThan(0);
    expect(counts.strangeSupersedes).toBe(0);
  });

  const changed: readonly (readonly [string, string, (topics: SeenTopics) => Partial<SeenTopics>])[] = [
    [
      "a change that was lost in the middle",
      "broken chain",
      ({ changes }) => ({ changes: without(changes, middleOf(changes)) }),
    ],
    [
      "a last change that was lost",
      "lost change",
      ({ changes }) => ({ changes: without(changes, lastOf(changes, "DEADLINE")) }),
    ],
    [
      "a change that came twice",
      "doubled change",
      ({ changes }) => ({
        changes: changes.flatMap((seen, i) => (i === middleOf(changes) ? [seen, seen] : [seen])),
      }),
    ],
    [
      "two changes in the wrong order",
      "seq that does not grow",
      ({ changes }) => {
        const second = middleOf(changes);
        const first = changes.findIndex(({ customerId }) => customerId === changes[second]!.customerId);
        return {
          changes: changes.map((seen, i) =>
            i === first ? changes[second]! : i === second ? changes[first]! : seen,
          ),
        };
      },
    ],
    [
      "a change with another cause",
      "wrong change",
      ({ changes }) => ({
        changes: changes.map((seen, i) =>
          i === middleOf(changes) && seen.change !== null
            ? { ...seen, change: { ...seen.change, cause: { kind: "LATE", ref: seen.change.cause.ref } } }
            : seen,
        ),
      }),
    ],
    [
      "a last classification that is not the one in force",
      "wrong classification",
      ({ changes }) => ({
        changes: changes.map((seen, i) =>
          i === lastOf(changes, "EVENT") && seen.change !== null
            ? { ...seen, change: { ...seen.change, current: { ...seen.change.current, value: "D" } } }
            : seen,
        ),
      }),
    ],
    [
      "a tombstone that is missing",
      "tombstones",
      ({ changes }) => ({
        changes: without(
          changes,
          changes.findIndex(({ change }) => change === null),
        ),
      }),
    ],
    [
      "a change in another partition",
      "wrong partition",
      ({ changes }) => ({ changes: changes.map((seen, i) => (i === 3 ? { ...seen, partition: 1 } : seen)) }),
    ],
    [
      "a segment that did not follow",
      "customer-segments differs from the last change",
      ({ segments }) => ({ segments: segments.slice(0, -3) }),
    ],
    ["a dead letter that was lost", "lost dead letter", () => ({ deadLetters: [] })],
    [
      "a dead letter that came twice",
      "doubled dead letter",
      ({ deadLetters }) => ({ deadLetters: [...deadLetters, deadLetters[0]!] }),
    ],
    [
      "a good record among the dead letters",
      "doubled dead letter",
      ({ deadLetters }) => ({
        deadLetters: [
          ...deadLetters,
          { ...deadLetters[0]!, source: { topic: "orders", partition: 0, offset: 0 } },
        ],
      }),
    ],
    [
      "an acknowledged record that is not in the log",
      "acknowledged record is not in the log",
      ({ inputs }) => ({ inputs: inputs.slice(0, -1) }),
    ],
  ];
  test.each(changed)("reports %s", (_what, kind, change) => {
    expect(kindsOf(withTopics(change))).toContain(kind);
  });

  const stored: readonly (readonly [string, string, (shard: SeenShard) => Partial<SeenShard>])[] = [
    ["a state that is gone", "lost state", ({ states }) => ({ states: new Map([...states].slice(1)) })],
    [
      "a state of nobody",
      "orphan state",
      ({ states }) => ({ states: new Map([...states, ["nobody", [...states.values()][0]!]]) }),
    ],
    [
      "a state without its last order",
      "state differs from the truth",
      ({ states }) => ({
        states: new Map(
          [...states].map(([id, state]) => [
            id,
            typeof state !== "string" && id.startsWith("S-")
              ? { ...state, orders: state.orders.slice(0, -1) }
              : state,
          ]),
        ),
      }),
    ],
    [
      "a state that has published something else",
      "state says another classification was published",
      ({ states }) => ({
        states: new Map(
          [...states].map(([id, state]) => [
            id,
            typeof state === "string" ? state : { ...state, published: null },
          ]),
        ),
      }),
    ],
    [
      "a state that can't be read",
      "state that can't be read",
      ({ states }) => ({ states: new Map([...states].map(([id]) => [id, "cut off"])) }),
    ],
    [
      "a deadline of nobody",
      "orphan deadline",
      ({ deadlines }) => ({ deadlines: new Map([...deadlines, ["nobody", 5]]) }),
    ],
    [
      "a deadline at another instant",
      "wrong deadline",
      ({ deadlines }) => ({ deadlines: new Map([...deadlines].map(([id, at]) => [id, at + 1])) }),
    ],
    [
      "a deadline that is past",
      "deadline not applied",
      ({ deadlines }) => ({ deadlines: new Map([...deadlines].map(([id]) => [id, END - 1])) }),
    ],
    ["a page of nobody", "orphan page", () => ({ chunks: [["nobody", 0]] })],
  ];
  test.each(stored)("reports %s", (_what, kind, change) => {
    expect(kindsOf(withShard(change))).toContain(kind);
  });

  test("reports a key that belongs to no shard", () => {
    expect(kindsOf({ ...sound, redis: { ...sound.redis, strangeKeys: ["x"] } })).toEqual(["orphan key"]);
  });
});
