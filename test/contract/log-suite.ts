import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FactTopic, Referral } from "../../src/domain/events.ts";
import { RefusedError, RetriableError } from "../../src/pipeline/errors.ts";
import type {
  BatchOutput,
  Committed,
  DeadLetter,
  Receipt,
  ShardLog,
  SourceRecord,
} from "../../src/pipeline/ports.ts";
import { instant } from "../../src/shared/instant.ts";

/** Output topics by what they carry, as a reader of committed data sees them. */
export interface SeenOutput {
  readonly changes: readonly (readonly [customerId: string, changeId: string | null])[];
  readonly segments: readonly (readonly [customerId: string, seq: number | null])[];
  readonly deadLetters: readonly (readonly [reason: string, message: string])[];
}

/** One log with one shard of its own, so that tests do not meet. */
export interface LogHarness {
  /** A customer whose records belong into this shard. */
  readonly customerId: string;
  /** Another handle on the shard, as another process would open it. Not fenced yet. */
  open(): Promise<ShardLog>;
  /** Orders of these ids, one record each, key `customerId`; resolves when the log has them. */
  append(topic: FactTopic, eventIds: readonly string[]): Promise<void>;
  /** The event id of a record that `append` made. */
  eventIdOf(record: SourceRecord): string;
  /** A change that this log can carry: `changeId` is told apart by it. */
  change(customerId: string, changeId: string, seq: number): BatchOutput<unknown, unknown>["changes"][number];
  segment(customerId: string, seq: number): BatchOutput<unknown, unknown>["segments"][number];
  /** All that is committed on the output topics so far. */
  output(): Promise<SeenOutput>;
  close(): Promise<void>;
}

export interface LogSuiteOptions {
  /** How long something in the log may take to show. */
  readonly patienceMs: number;
  /** Where a predecessor that still writes costs the owner a new fence; default: it goes unnoticed. */
  readonly isDisturbedByPredecessors?: boolean;
}

const RECEIPT: Receipt = {
  seq: 7,
  clock: { at: instant(1_700_000_000_001), customerId: "clïënt-\u{1f600}" },
  policy: "c".repeat(64),
  migrating: {
    to: "d".repeat(64),
    afterCustomerId: "ü",
    over: { to: "e".repeat(64), afterCustomerId: "ÿ", over: null },
  },
  silentBelow: { offsets: { orders: 3, referrals: 0 }, at: instant(5) },
};
const NOTHING: BatchOutput<unknown, unknown> = { changes: [], segments: [], referrals: [], deadLetters: [] };

function committedAt(offset: number, seq = 1): Committed {
  return { offsets: { orders: offset }, receipt: { ...RECEIPT, seq } };
}

/** The contract of ShardLog (A4, A8): every implementation runs it. */
export function describeLog(
  name: string,
  makeHarness: () => Promise<LogHarness>,
  { patienceMs, isDisturbedByPredecessors = false }: LogSuiteOptions,
): void {
  describe(`log: ${name}`, () => {
    let harness: LogHarness;
    let opened: ShardLog[] = [];

    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(async () => {
      await Promise.all(opened.map((log) => log.close()));
      opened = [];
      await harness.close();
    });

    async function open(): Promise<ShardLog> {
      const log = await harness.open();
      opened.push(log);
      return log;
    }

    async function owner(offset = 0): Promise<ShardLog> {
      const log = await open();
      await log.fence();
      await log.seek(offset === 0 ? {} : { orders: offset });
      return log;
    }

    /** Waits until the condition holds, woken by the log. */
    async function until(log: ShardLog, holds: () => boolean): Promise<void> {
      const deadline = AbortSignal.timeout(patienceMs);
      while (!holds()) {
        if (deadline.aborted) throw new Error("the log did not come so far in time");
        await log.changed(AbortSignal.any([deadline, AbortSignal.timeout(200)]));
      }
    }

    async function buffered(
      log: ShardLog,
      topic: FactTopic,
      count: number,
    ): Promise<readonly SourceRecord[]> {
      await until(log, () => log.buffered(topic).length >= count);
      return log.buffered(topic);
    }

    const ids = (records: readonly SourceRecord[]): string[] => records.map((r) => harness.eventIdOf(r));

    describe("reading", () => {
      test("records come in order with topic, partition and ascending offsets", async () => {
        const log = await owner();
        await harness.append("orders", ["e1", "e2", "e3"]);
        await harness.append("surveys", ["s1"]);
        const orders = await buffered(log, "orders", 3);
        expect(ids(orders)).toEqual(["e1", "e2", "e3"]);
        expect(new Set(orders.map(({ topic, partition }) => `${topic}-${partition}`)).size).toBe(1);
        expect(orders.every((r, i) => i === 0 || r.offset > orders[i - 1]!.offset)).toBe(true);
        expect(ids(await buffered(log, "surveys", 1))).toEqual(["s1"]);
        expect(log.position("orders")).toBeGreaterThan(orders[2]!.offset);
      });

      test("take drops from the front and leaves the rest", async () => {
        const log = await owner();
        await harness.append("orders", ["e1", "e2", "e3"]);
        await buffered(log, "orders", 3);
        log.take("orders", 2);
        expect(ids(log.buffered("orders"))).toEqual(["e3"]);
        log.take("orders", 1);
        expect(log.buffered("orders")).toHaveLength(0);
      });

      test("what is appended while somebody waits wakes them", async () => {
        const log = await owner();
        await until(log, () => log.caughtUp("orders", instant(0)));
        const waiting = until(log, () => log.buffered("orders").length > 0);
        await harness.append("orders", ["e1"]);
        await waiting;
        expect(ids(log.buffered("orders"))).toEqual(["e1"]);
      });

      test("changed ends early with its signal", async () => {
        const log = await owner();
        const abort = new AbortController();
        const waiting = (async (): Promise<void> => {
          while (!abort.signal.aborted) await log.changed(abort.signal);
        })();
        setTimeout(() => abort.abort(), 20);
        await expect(waiting).resolves.toBeUndefined();
      });

      test("seek backwards delivers the same records again, and drops what was buffered", async () => {
        const log = await owner();
        await harness.append("orders", ["e1", "e2", "e3"]);
        const first = [...(await buffered(log, "orders", 3))];
        log.take("orders", 2);
        await log.seek({ orders: first[1]!.offset });
        const again = await buffered(log, "orders", 2);
        expect(again.map((r) => [r.offset, harness.eventIdOf(r), r.arrivedAt])).toEqual(
          first.slice(1).map((r) => [r.offset, harness.eventIdOf(r), r.arrivedAt]),
        );
        await log.seek({});
        expect(ids(await buffered(log, "orders", 3))).toEqual(["e1", "e2", "e3"]);
      });

      test("an offset outside the log is refused, not skipped", async () => {
        const log = await owner();
        await harness.append("orders", ["e1"]);
        await buffered(log, "orders", 1);
        await expect(log.seek({ orders: 1_000_000 })).rejects.toBeInstanceOf(RefusedError);
      });

      test("ends are the offsets after the last records", async () => {
        const log = await owner();
        await harness.append("orders", ["e1", "e2"]);
        const records = await buffered(log, "orders", 2);
        const ends = await log.ends();
        expect(ends.orders).toBe(records[1]!.offset + 1);
        expect(ends.inquiries).toBe(0);
        expect(log.knownEnd("orders")).toBe(ends.orders);
      });
    });

    describe("caught up", () => {
      test("only when all that was there has been delivered", async () => {
        await harness.append("orders", ["e1", "e2"]);
        const log = await owner();
        const since = instant(Date.now());
        const taken: SourceRecord[] = [];
        // As the merge asks: a topic has no lag when nothing is buffered and the log says that it is caught up.
        await until(log, () => {
          taken.push(...log.buffered("orders"));
          log.take("orders", log.buffered("orders").length);
          return log.caughtUp("orders", since);
        });
        expect(ids(taken)).toEqual(["e1", "e2"]);
        await until(log, () => log.caughtUp("inquiries", since));
        expect(log.buffered("inquiries")).toHaveLength(0);
      });

      test("also behind a commit, whose traces are no records", async () => {
        const log = await owner();
        await log.commit({ ...NOTHING, referrals: [referral(harness.customerId, 1)] }, committedAt(0));
        await buffered(log, "referrals", 1);
        log.take("referrals", 1);
        const since = instant(Date.now());
        await until(log, () => log.caughtUp("referrals", since));
        expect(log.buffered("referrals")).toHaveLength(0);
      });
    });

    describe("commit", () => {
      test("nothing was ever committed: null", async () => {
        expect(await (await open()).fence()).toBeNull();
      });

      test("offsets and receipt come back whole, to the next owner as well", async () => {
        const log = await owner();
        await harness.append("orders", ["e1", "e2"]);
        const records = await buffered(log, "orders", 2);
        const committed: Committed = {
          offsets: { orders: records[1]!.offset + 1, referrals: 0 },
          receipt: RECEIPT,
        };
        await log.commit(NOTHING, committed);
        expect(await log.fence()).toMatchObject(committed);
        expect(await (await open()).fence()).toMatchObject(committed);
      });

      test("the last commit counts", async () => {
        const log = await owner();
        await harness.append("orders", ["e1", "e2"]);
        await buffered(log, "orders", 2);
        await log.commit(NOTHING, committedAt(1, 1));
        await log.commit(NOTHING, committedAt(2, 2));
        const committed = await (await open()).fence();
        expect([committed?.offsets.orders, committed?.receipt.seq]).toEqual([2, 2]);
      });

      test("outputs appear in order, tombstones in their place", async () => {
        const log = await owner();
        await harness.append("orders", ["bad"]);
        const [record] = await buffered(log, "orders", 1);
        const refused: DeadLetter = { record: record!, reason: "invalid_field", message: "score is missing" };
        await log.commit(
          {
            changes: [
              harness.change("c1", "11111111-1111-5111-8111-111111111111", 1),
              { customerId: "c1", change: null },
              harness.change("c1", "22222222-2222-5222-8222-222222222222", 3),
            ],
            segments: [harness.segment("c1", 3), { customerId: "c2", segment: null }],
            referrals: [],
            deadLetters: [refused],
          },
          committedAt(1),
        );
        expect(await harness.output()).toEqual({
          changes: [
            ["c1", "11111111-1111-5111-8111-111111111111"],
            ["c1", null],
            ["c1", "22222222-2222-5222-8222-222222222222"],
          ],
          segments: [
            ["c1", 3],
            ["c2", null],
          ],
          deadLetters: [["invalid_field", "score is missing"]],
        });
      });

      test("referrals come back as records of their topic", async () => {
        const log = await owner();
        await log.commit(
          { ...NOTHING, referrals: [referral(harness.customerId, 1), referral(harness.customerId, 2)] },
          committedAt(0),
        );
        const records = await buffered(log, "referrals", 2);
        expect(records.map(({ key }) => Buffer.from(key ?? []).toString())).toEqual([
          harness.customerId,
          harness.customerId,
        ]);
        expect(records.every(({ arrivedAt }) => arrivedAt !== null)).toBe(true);
      });
    });

    describe("fence", () => {
      test("a predecessor's commit after it fails and leaves nothing", async () => {
        const former = await owner();
        await harness.append("orders", ["e1"]);
        await buffered(former, "orders", 1);
        const next = await open();
        expect(await next.fence()).toBeNull();
        const late = former.commit(
          { ...NOTHING, changes: [harness.change("c1", "33333333-3333-5333-8333-333333333333", 1)] },
          committedAt(1),
        );
        await expect(late).rejects.toBeInstanceOf(RetriableError);
        expect((await harness.output()).changes).toEqual([]);
        await next.seek({});
        if (isDisturbedByPredecessors) {
          await expect(next.commit(NOTHING, committedAt(1, 3))).rejects.toBeInstanceOf(RetriableError);
          expect(await next.fence()).toBeNull();
        }
        await next.commit(NOTHING, committedAt(1, 4));
        expect((await (await open()).fence())?.receipt.seq).toBe(4);
      });

      test("the owner may fence again and go on", async () => {
        const log = await owner();
        await log.fence();
        await log.seek({});
        await log.commit(NOTHING, committedAt(0, 2));
        expect((await log.fence())?.receipt.seq).toBe(2);
      });

      test("who never fenced can't commit", async () => {
        await expect((await open()).commit(NOTHING, committedAt(0))).rejects.toBeInstanceOf(RetriableError);
        expect(await (await open()).fence()).toBeNull();
      });
    });
  });
}

function referral(customerId: string, version: number): Referral {
  const at = instant(1_700_000_000_000);
  return {
    topic: "referrals",
    customerId,
    referredId: "r1",
    orderId: "o1",
    version,
    spans: [{ at, from: at, until: null }],
  };
}
