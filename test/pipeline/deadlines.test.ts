import { describe, expect, test } from "vitest";
import type { ShardLog, StateStore } from "../../src/pipeline/ports.ts";
import { instant } from "../../src/shared/instant.ts";
import { day, order } from "./facts.ts";
import { World } from "./world.ts";

/** A customer of one order lapses so long after it (S4.3). */
const LAPSE_DAYS = 180;

describe("a deadline is applied when time has passed it (S7.1, A5)", () => {
  test("not a millisecond before, and then without any event", async () => {
    const world = new World();
    const owner = world.own();
    await world.append(order("a", 0));
    await world.settle(owner);
    world.clock.advanceTo(instant(day(LAPSE_DAYS) - 1));
    await world.breathe();
    expect(world.changes).toHaveLength(1);
    world.clock.advanceBy(1);
    await world.until(() => world.changes.length === 2);
    expect(world.changes[1]!.change).toMatchObject({
      effectiveAt: day(LAPSE_DAYS),
      decidedAt: day(LAPSE_DAYS),
      current: { status: "INACTIVE" },
      cause: { kind: "DEADLINE" },
    });
    await world.stop();
  });

  test("not while a topic has more to tell", async () => {
    const world = new World();
    let isCaughtUp = false;
    const log = (inner: ShardLog): ShardLog => ({
      ...inner,
      caughtUp: (topic, since) => (topic !== "surveys" || isCaughtUp) && inner.caughtUp(topic, since),
    });
    world.clock.advanceTo(day(LAPSE_DAYS + 1));
    world.own({ log });
    await world.breathe();
    await world.append(order("a", 0));
    await world.until(() => world.log.contents().entries.length > 0);
    await world.breathe();
    expect(world.changes.filter(({ change }) => change?.cause.kind === "DEADLINE")).toEqual([]);
    isCaughtUp = true;
    await world.until(() => world.changes.length === 2, 1);
    await world.stop();
  });

  test("in the order of instant, then customer by UTF-8 bytes", async () => {
    const world = new World({ options: { sweepCustomers: 2 } });
    const owner = world.own();
    await world.append(
      order("z", 0),
      order("b", 1),
      order("a", 1),
      order("\u{1f600}", 1),
      order("\uffee", 1),
    );
    await world.settle(owner);
    world.clock.advanceTo(day(LAPSE_DAYS + 2));
    await world.until(() => world.changes.length === 10);
    // In UTF-16 the two last ones would come the other way round.
    expect(world.changes.slice(5).map(({ customerId }) => customerId)).toEqual([
      "z",
      "a",
      "b",
      "\uffee",
      "\u{1f600}",
    ]);
    await world.stop();
  });

  test("a deadline that an event creates at or before the clock fires in that same batch (A4)", async () => {
    const world = new World({ startAt: day(400) });
    const owner = world.own();
    await world.append(order("other", 399));
    await world.settle(owner);
    const before = world.transactions.length;
    await world.append(order("late", 10));
    await world.settle(owner);
    await world.stop();
    expect(world.transactions).toHaveLength(before + 1);
    expect(world.transactions.at(-1)!.output.changes.map(({ change }) => change?.effectiveAt)).toEqual([
      day(10),
      day(10 + LAPSE_DAYS),
      // The order leaves the window of 365 days: no revenue any more.
      day(10 + 365),
    ]);
  });

  test("when it was noticed is never before it was due, and its lateness is counted until it is committed", async () => {
    const world = new World({ options: { commitIntervalMs: 60_000 } });
    const lateness: number[] = [];
    const owner = world.own({ telemetry: { deadlineLateness: (seconds) => void lateness.push(seconds) } });
    await world.append(order("a", 0));
    await world.settle(owner);
    world.clock.advanceTo(instant(day(LAPSE_DAYS) - 10_000));
    await world.breathe();
    // The second batch is opened before the deadline, and still open when it comes: its turn is a minute after the first.
    await world.append(order("b", LAPSE_DAYS - 1));
    await world.breathe();
    await world.append(order("c", LAPSE_DAYS - 1));
    await world.breathe();
    world.clock.advanceBy(25_000);
    await world.breathe();
    world.clock.advanceBy(60_000);
    await world.settle(owner);
    await world.stop();
    const lapse = world.changes.find(({ change }) => change?.cause.kind === "DEADLINE")!.change!;
    expect(lapse.effectiveAt).toBe(day(LAPSE_DAYS));
    expect(lapse.decidedAt).toBe(day(LAPSE_DAYS) + 15_000);
    // Until it was committed, a minute later.
    expect(lateness).toHaveLength(1);
    expect(lateness[0]).toBeCloseTo(75, 1);
  });
});

describe("the store is asked for deadlines of the next second too", () => {
  const DUE = day(LAPSE_DAYS);
  const lapses = (world: World): number[] =>
    world.changes.flatMap(({ change }) => (change?.cause.kind === "DEADLINE" ? [change.decidedAt] : []));

  test("and then, with nothing that comes due, once a second", async () => {
    const world = new World();
    let asked = 0;
    const store = (inner: StateStore): StateStore => ({
      ...inner,
      due: (...args) => {
        asked++;
        return inner.due(...args);
      },
    });
    const owner = world.own({ store });
    await world.append(order("a", 0));
    await world.settle(owner);
    asked = 0;
    for (let i = 0; i < 100; i++) {
      world.clock.advanceBy(100);
      await world.breathe(5);
    }
    expect(asked).toBeGreaterThanOrEqual(9);
    expect(asked).toBeLessThanOrEqual(10);
    await world.stop();
  });

  test("a deadline within it that is committed after that is applied on time", async () => {
    const world = new World({ startAt: DUE - 600 });
    world.own();
    await world.breathe();
    await world.append(order("a", 0));
    await world.breathe();
    world.clock.advanceTo(instant(DUE - 1));
    await world.breathe();
    expect(lapses(world)).toEqual([]);
    world.clock.advanceTo(DUE);
    await world.breathe();
    expect(lapses(world)).toEqual([DUE]);
    await world.stop();
  });

  test("so is one whose commit is under way when the store is asked", async () => {
    const world = new World({ startAt: DUE - 1600 });
    const { promise, resolve: release } = Promise.withResolvers<null>();
    let turn: Promise<null> = Promise.resolve(null);
    const store = (inner: StateStore): StateStore => ({
      ...inner,
      commit: async (shard, commit) => {
        await turn;
        return inner.commit(shard, commit);
      },
    });
    world.own({ store });
    await world.breathe();
    turn = promise;
    await world.append(order("a", 0));
    await world.breathe();
    // The second in which it need not be asked is over.
    world.clock.advanceTo(instant(DUE - 500));
    await world.breathe();
    release(null);
    await world.breathe();
    world.clock.advanceTo(DUE);
    await world.breathe();
    expect(lapses(world)).toEqual([DUE]);
    await world.stop();
  });
});

describe("a storm of deadlines (A5)", () => {
  test("20 000 at one instant are swept in bounded batches, and live events do not wait for its end", async () => {
    const CUSTOMERS = 20_000;
    const SWEEP = 500;
    const BATCH = 2000;
    const world = new World({
      options: { sweepCustomers: SWEEP, batchRecords: BATCH },
    });
    // A commit takes as long as it takes the loop to sweep several times, as a broker's does.
    const slowly = async (): Promise<void> => {
      for (let i = 0; i < 60; i++) await new Promise(setImmediate);
    };
    const store = (inner: StateStore): StateStore => ({
      ...inner,
      commit: async (shard, commit) => {
        if (isStorm) await slowly();
        return inner.commit(shard, commit);
      },
    });
    let isStorm = false;
    const owner = world.own({ store });
    for (let from = 0; from < CUSTOMERS; from += 5000) {
      await world.append(...Array.from({ length: 5000 }, (_, i) => order(`c${from + i}`, 1)));
      await world.settle(owner);
    }
    await world.append(order("live", 2));
    await world.settle(owner);
    isStorm = true;
    const before = world.transactions.length;
    world.clock.advanceTo(day(1 + LAPSE_DAYS));
    /** Transactions that each live event had to wait for. */
    const waited: number[] = [];
    const swept = (): number =>
      world.transactions.slice(before).reduce((sum, { output }) => sum + output.changes.length, 0);
    for (let i = 0; swept() < CUSTOMERS; i++) {
      const sentAt = world.transactions.length;
      const id = `live${i}`;
      await world.append(order(id, 1 + LAPSE_DAYS));
      await world.until(() =>
        world.transactions
          .slice(sentAt)
          .some(({ output }) => output.segments.some((s) => s.customerId === id)),
      );
      waited.push(world.transactions.length - sentAt);
    }
    await world.settle(owner);
    await world.stop();
    const storm = world.transactions.slice(before);
    const sizes = storm.map(({ output }) => output.changes.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(BATCH + SWEEP);
    expect(Math.max(...waited)).toBeLessThanOrEqual(2);
    expect(waited.length).toBeGreaterThan(5);
    const lapsed = storm.flatMap(({ output }) =>
      output.changes.filter(({ change }) => change?.cause.kind === "DEADLINE"),
    );
    expect(new Set(lapsed.map(({ customerId }) => customerId)).size).toBe(CUSTOMERS);
  }, 60_000);
});
