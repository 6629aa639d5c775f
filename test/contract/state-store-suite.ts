import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { CustomerWrite, Held, Marks, StateCommit, StateStore } from "../../src/pipeline/ports.ts";
import { instant } from "../../src/shared/instant.ts";

/** What one implementation brings to the suite. */
export interface StoreHarness {
  readonly store: StateStore;
  /** A shard nobody used before. */
  freshShard(): number;
  close(): Promise<void>;
}

/** Heads of this suite: first page, tail page, then anything. */
export function pagesOfTestHead(head: Uint8Array): readonly [first: number, tail: number] {
  return [head[0] ?? 0, head[1] ?? 0];
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const plain = (...content: number[]): Uint8Array => bytes(0, 0, ...content);

function marksOf(seq: number, change: Partial<Marks> = {}): Omit<Marks, "epoch"> {
  return {
    seq,
    offsets: { orders: 10 * seq, referrals: seq },
    clock: { at: instant(1_700_000_000_000 + seq), customerId: "clïënt-\u{1f600}" },
    published: seq - 1,
    policy: "a".repeat(64),
    migrating: null,
    silentBelow: null,
    ...change,
  };
}

function write(customerId: string, change: Partial<CustomerWrite> = {}): CustomerWrite {
  return { customerId, head: plain(1), chunks: [], deadlineAt: null, ...change };
}

function commitOf(
  epoch: number,
  expectedSeq: number,
  writes: readonly CustomerWrite[],
  change: Partial<StateCommit> = {},
): StateCommit {
  return { epoch, expectedSeq, writes, marks: marksOf(expectedSeq + 1), policyText: null, ...change };
}

/** The contract of StateStore (A4, A7): every implementation runs it. */
export function describeStateStore(name: string, makeHarness: () => Promise<StoreHarness>): void {
  describe(`state store: ${name}`, () => {
    let harness: StoreHarness;
    let store: StateStore;
    let shard: number;

    beforeAll(async () => {
      harness = await makeHarness();
      store = harness.store;
    });
    beforeEach(() => {
      shard = harness.freshShard();
    });
    afterAll(async () => {
      await harness.close();
    });

    const acquire = async (): Promise<number> => (await store.acquire(shard)).epoch;
    const heads = async (...ids: string[]): Promise<(number[] | null)[]> =>
      (await store.read(shard, ids)).map((stored) => (stored === null ? null : [...stored.head]));

    describe("reads that must find the shard where its owner left it (A4)", () => {
      const lived = async (): Promise<number> => {
        const epoch = await acquire();
        await store.commit(shard, commitOf(epoch, 0, [write("c1", { deadlineAt: instant(5) })]));
        return epoch;
      };
      const READS: readonly (readonly [string, (held?: Held) => Promise<unknown>])[] = [
        ["read", (held) => store.read(shard, ["c1", "c2"], held)],
        ["due", (held) => store.due(shard, instant(9), 10, held)],
        ["customers", (held) => store.customers(shard, "", 10, held)],
      ];

      test.each(READS)(
        "%s: there, or with a commit in flight, the answer is that of anybody",
        async (_, read) => {
          const epoch = await lived();
          const answer = await read();
          expect(await read({ epoch, seqs: [1] })).toEqual(answer);
          expect(await read({ epoch, seqs: [0, 1] })).toEqual(answer);
        },
      );

      test.each(READS)("%s: under another epoch, or at another seq, there is none", async (_, read) => {
        const epoch = await lived();
        for (const held of [
          { epoch: epoch + 1, seqs: [1] },
          { epoch, seqs: [2, 3] },
          { epoch, seqs: [null] },
        ]) {
          await expect(read(held)).rejects.toMatchObject({ code: "STATE_MOVED", retriable: true });
        }
      });

      test.each(READS)("%s: a shard without marks is at seq null", async (_, read) => {
        const epoch = await acquire();
        await read({ epoch, seqs: [null] });
        await expect(read({ epoch, seqs: [1] })).rejects.toMatchObject({ code: "STATE_MOVED" });
      });
    });

    describe("epoch and marks", () => {
      test("a shard that was never acquired has no marks, and its epoch grows with each acquire", async () => {
        const first = await store.acquire(shard);
        const second = await store.acquire(shard);
        expect(first.marks).toBeNull();
        expect(first.policyText).toBeNull();
        expect(second.epoch).toBeGreaterThan(first.epoch);
      });

      test("marks and policy text come back as they were committed, under the new epoch", async () => {
        const epoch = await acquire();
        const marks = marksOf(1, {
          clock: null,
          migrating: {
            to: "b".repeat(64),
            afterCustomerId: "ünïcode",
            over: { to: "c".repeat(64), afterCustomerId: "ÿ", over: null },
          },
          silentBelow: { offsets: { orders: 5 }, at: instant(99) },
        });
        const policyText = JSON.stringify({ levers: { TESTER: "rassurer, écouter 聞く" } });
        await store.commit(shard, commitOf(epoch, 0, [], { marks, policyText }));
        await store.commit(shard, commitOf(epoch, 1, []));
        const found = await store.acquire(shard);
        expect(found).toMatchObject({
          marks: { ...marksOf(2), epoch: found.epoch },
          policyText,
        });
        expect(found.epoch).toBeGreaterThan(epoch);
      });

      test("a look at the marks does not take the shard over", async () => {
        expect(await store.peek(shard)).toBeNull();
        const epoch = await acquire();
        expect(await store.peek(shard)).toBeNull();
        const log = { cluster: "K", prefix: "p.", shards: 4, topics: { orders: "id" } };
        const marks = marksOf(1, { log, begin: { surveys: 7 } });
        await store.commit(shard, commitOf(epoch, 0, [], { marks }));
        expect(await store.peek(shard)).toEqual({ ...marks, epoch });
        expect(await store.commit(shard, commitOf(epoch, 1, []))).toEqual({ kind: "applied" });
        expect(await store.clear(shard, epoch)).toEqual({ kind: "applied" });
        expect(await store.peek(shard)).toBeNull();
      });

      test("shards do not see each other", async () => {
        const epoch = await acquire();
        await store.commit(shard, commitOf(epoch, 0, [write("c1", { deadlineAt: instant(5) })]));
        const other = harness.freshShard();
        expect((await store.acquire(other)).marks).toBeNull();
        expect(await store.read(other, ["c1"])).toEqual([null]);
        expect(await store.nextDue(other)).toBeNull();
        expect(await store.customers(other, "", 10)).toEqual([]);
      });
    });

    describe("compare-and-set", () => {
      test("a commit at the expected seq is applied", async () => {
        const epoch = await acquire();
        expect(await store.commit(shard, commitOf(epoch, 0, [write("c1")]))).toEqual({ kind: "applied" });
        expect(await heads("c1", "c2")).toEqual([[...plain(1)], null]);
      });

      test("the same commit again is already there and changes nothing", async () => {
        const epoch = await acquire();
        const commit = commitOf(epoch, 0, [write("c1", { deadlineAt: instant(7) })], { policyText: "P" });
        await store.commit(shard, commit);
        const forged = { ...commit, writes: [write("c1", { head: plain(9) })], policyText: "Q" };
        expect(await store.commit(shard, forged)).toEqual({ kind: "already" });
        expect(await heads("c1")).toEqual([[...plain(1)]]);
        expect(await store.nextDue(shard)).toBe(7);
        expect((await store.acquire(shard)).policyText).toBe("P");
      });

      test("a resend that arrives after a later commit is behind", async () => {
        const epoch = await acquire();
        const first = commitOf(epoch, 0, [write("c1")]);
        await store.commit(shard, first);
        await store.commit(shard, commitOf(epoch, 1, [write("c1", { head: plain(2) })]));
        expect(await store.commit(shard, first)).toEqual({ kind: "behind", seq: 2 });
        expect(await heads("c1")).toEqual([[...plain(2)]]);
      });

      test("a commit on top of what the store does not have is behind, and nothing of it is stored", async () => {
        const epoch = await acquire();
        const ahead = commitOf(epoch, 4, [write("c1", { deadlineAt: instant(7) })], { policyText: "P" });
        expect(await store.commit(shard, ahead)).toEqual({ kind: "behind", seq: null });
        expect(await heads("c1")).toEqual([null]);
        expect(await store.nextDue(shard)).toBeNull();
        const found = await store.acquire(shard);
        expect([found.marks, found.policyText]).toEqual([null, null]);
      });

      test("seq may skip, as it does after a transaction whose state was lost", async () => {
        const epoch = await acquire();
        const skipping = commitOf(epoch, 0, [write("c1")], { marks: marksOf(9) });
        expect(await store.commit(shard, skipping)).toEqual({ kind: "applied" });
        expect(await store.commit(shard, commitOf(epoch, 9, []))).toEqual({ kind: "applied" });
      });

      test("a commit of a former owner is fenced, also one that was already applied", async () => {
        const former = await acquire();
        const commit = commitOf(former, 0, [write("c1")]);
        await store.commit(shard, commit);
        const epoch = await acquire();
        expect(await store.commit(shard, commit)).toEqual({ kind: "fenced", epoch });
        expect(await store.commit(shard, commitOf(former, 1, [write("c1", { head: null })]))).toEqual({
          kind: "fenced",
          epoch,
        });
        expect(await heads("c1")).toEqual([[...plain(1)]]);
      });

      test("an epoch that the store has forgotten is fenced too", async () => {
        const epoch = await acquire();
        expect(await store.commit(shard, commitOf(epoch + 1, 0, [write("c1")]))).toEqual({
          kind: "fenced",
          epoch,
        });
      });

      test("a store that knows nothing of the shard says that it is behind", async () => {
        expect(await store.commit(shard, commitOf(3, 0, [write("c1")]))).toEqual({
          kind: "behind",
          seq: null,
        });
        expect(await store.clear(shard, 3)).toEqual({ kind: "behind", seq: null });
        expect(await heads("c1")).toEqual([null]);
      });
    });

    describe("states", () => {
      test("any bytes and any id come back unharmed, in the order asked", async () => {
        const epoch = await acquire();
        const all = bytes(0, 0, ...Array.from({ length: 256 }, (_, i) => i));
        // A view into a larger buffer: its own bytes only.
        const view = bytes(9, 9, 0, 0, 200, 9).subarray(2, 5);
        const ids = ["clé", "\u{1f600}", "a b\n\0c", "{x}", "ﬀ", "1"];
        const writes = ids.map((id) => write(id, { head: id === "clé" ? view : all }));
        await store.commit(shard, commitOf(epoch, 0, writes));
        expect(await heads("1", "nobody", "clé", "\u{1f600}", "a b\n\0c", "{x}", "ﬀ", "1")).toEqual([
          [...all],
          null,
          [0, 0, 200],
          [...all],
          [...all],
          [...all],
          [...all],
          [...all],
        ]);
        expect(await store.read(shard, [])).toEqual([]);
      });

      test("4000 customers are one commit, and one read", async () => {
        const epoch = await acquire();
        const ids = Array.from({ length: 4000 }, (_, i) => `c${i}`);
        const writes = ids.map((id, i) =>
          write(id, { head: plain(i & 255, i >> 8), deadlineAt: instant(i), chunks: [] }),
        );
        await store.commit(shard, commitOf(epoch, 0, writes));
        expect(await heads(...ids)).toEqual(ids.map((_, i) => [0, 0, i & 255, i >> 8]));
        const removed = ids.slice(1).map((id) => write(id, { head: null }));
        await store.commit(shard, commitOf(epoch, 1, removed));
        expect(await store.customers(shard, "", 10)).toEqual(["c0"]);
        expect(await store.due(shard, instant(1e15), 10)).toEqual([{ customerId: "c0", at: 0 }]);
      });

      test("chunks come with the head that says so, and only those", async () => {
        const epoch = await acquire();
        const chunks = (customerId: string): [number, Uint8Array][] =>
          [0, 1, 2].map((page) => [page, Buffer.from(`${customerId}/${page}`)]);
        await store.commit(
          shard,
          commitOf(epoch, 0, [
            write("heavy", { head: bytes(0, 3, 7), chunks: chunks("heavy") }),
            write("light"),
            write("late", { head: bytes(1, 3, 7), chunks: chunks("late").slice(1) }),
          ]),
        );
        const read = async (): Promise<unknown> =>
          (await store.read(shard, ["late", "light", "none", "heavy"])).map((stored) =>
            stored === null
              ? null
              : Object.fromEntries(
                  [...stored.chunks].map(([page, chunk]) => [page, Buffer.from(chunk).toString()]),
                ),
          );
        expect(await read()).toEqual([
          { 1: "late/1", 2: "late/2" },
          {},
          null,
          { 0: "heavy/0", 1: "heavy/1", 2: "heavy/2" },
        ]);

        await store.commit(
          shard,
          commitOf(epoch, 1, [
            write("heavy", {
              head: bytes(1, 4),
              chunks: [
                [0, null],
                [1, Buffer.from("new")],
                [3, Buffer.from("3")],
              ],
            }),
          ]),
        );
        expect(await read()).toEqual([
          { 1: "late/1", 2: "late/2" },
          {},
          null,
          { 1: "new", 2: "heavy/2", 3: "3" },
        ]);
      });

      test("a page in the middle of which nothing is left is gone, and the others are there (an erasure, S2.5)", async () => {
        const epoch = await acquire();
        const heavy = (pages: readonly [number, Uint8Array | null][]): CustomerWrite =>
          write("c", { head: bytes(0, 3), chunks: pages });
        const all = [0, 1, 2].map((page): [number, Uint8Array] => [page, bytes(page)]);
        await store.commit(shard, commitOf(epoch, 0, [heavy(all)]));
        await store.commit(shard, commitOf(epoch, 1, [heavy([[1, null]])]));
        const [stored] = await store.read(shard, ["c"]);
        expect([...(stored?.chunks ?? [])].map(([page, chunk]) => [page, [...chunk]])).toEqual([
          [0, [0]],
          [2, [2]],
        ]);
        expect(await store.position(shard)).toMatchObject({ epoch, seq: 2 });
      });

      test("deleting a customer deletes head, chunks and deadline", async () => {
        const epoch = await acquire();
        const heavy = write("c", {
          head: bytes(0, 2),
          chunks: [
            [0, bytes(1)],
            [1, bytes(2)],
          ],
          deadlineAt: instant(1),
        });
        await store.commit(shard, commitOf(epoch, 0, [heavy, write("d", { deadlineAt: instant(2) })]));
        await store.commit(
          shard,
          commitOf(epoch, 1, [write("c", { head: null }), write("unknown", { head: null })]),
        );
        expect(await heads("c", "d")).toEqual([null, [...plain(1)]]);
        expect(await store.due(shard, instant(10), 10)).toEqual([{ customerId: "d", at: 2 }]);
        // No page of the former life shows up in a new one.
        await store.commit(
          shard,
          commitOf(epoch, 2, [write("c", { head: bytes(0, 1), chunks: [[0, bytes(9)]] })]),
        );
        const [again] = await store.read(shard, ["c"]);
        expect([...(again?.chunks ?? [])].map(([page, chunk]) => [page, [...chunk]])).toEqual([[0, [9]]]);
      });

      test("many heavy customers, more pages than one step can carry", async () => {
        const epoch = await acquire();
        const ids = Array.from({ length: 60 }, (_, i) => `w${i}`);
        const chunks = Array.from({ length: 40 }, (_, page): [number, Uint8Array] => [page, bytes(page, 1)]);
        await store.commit(
          shard,
          commitOf(
            epoch,
            0,
            ids.map((id) => write(id, { head: bytes(0, 40), chunks })),
          ),
        );
        const stored = await store.read(shard, ids);
        expect(stored.map((customer) => customer?.chunks.size)).toEqual(ids.map(() => 40));
        expect(
          stored.every((customer) => [...customer!.chunks].every(([page, chunk]) => chunk[0] === page)),
        ).toBe(true);
      });
    });

    describe("deadlines", () => {
      const due = async (upTo: number, limit = 100): Promise<string[]> =>
        (await store.due(shard, instant(upTo), limit)).map(({ customerId, at }) => `${customerId}@${at}`);

      test("come by instant, then by the UTF-8 bytes of the id, up to and including the instant asked", async () => {
        const epoch = await acquire();
        // UTF-16 order would put the emoji (surrogates) before U+FB00.
        const ids = ["b", "ﬀ", "a", "\u{1f600}", "é", "ab", "B"];
        const writes = ids.map((id) => write(id, { deadlineAt: instant(5000) }));
        await store.commit(
          shard,
          commitOf(epoch, 0, [
            ...writes,
            write("z", { deadlineAt: instant(4999) }),
            write("0", { deadlineAt: instant(5001) }),
            write("-", { deadlineAt: instant(-10) }),
            write("never"),
          ]),
        );
        const order = ["B@5000", "a@5000", "ab@5000", "b@5000", "é@5000", "ﬀ@5000", "\u{1f600}@5000"];
        expect(await due(5000)).toEqual(["-@-10", "z@4999", ...order]);
        expect(await due(5000, 4)).toEqual(["-@-10", "z@4999", "B@5000", "a@5000"]);
        expect(await due(4999)).toEqual(["-@-10", "z@4999"]);
        expect(await due(5001)).toEqual(["-@-10", "z@4999", ...order, "0@5001"]);
        expect(await due(-11)).toEqual([]);
      });

      test("asking does not take them away", async () => {
        const epoch = await acquire();
        await store.commit(shard, commitOf(epoch, 0, [write("a", { deadlineAt: instant(1) })]));
        expect(await due(9)).toEqual(["a@1"]);
        expect(await due(9)).toEqual(["a@1"]);
        expect(await store.nextDue(shard)).toBe(1);
      });

      test("follow the last write: moved, moved back, withdrawn", async () => {
        const epoch = await acquire();
        const at = (deadline: number | null): CustomerWrite[] => [
          write("a", { deadlineAt: deadline === null ? null : instant(deadline) }),
        ];
        await store.commit(shard, commitOf(epoch, 0, [...at(10), write("b", { deadlineAt: instant(20) })]));
        await store.commit(shard, commitOf(epoch, 1, at(30)));
        expect(await due(100)).toEqual(["b@20", "a@30"]);
        expect(await store.nextDue(shard)).toBe(20);
        await store.commit(shard, commitOf(epoch, 2, at(10)));
        expect(await due(100)).toEqual(["a@10", "b@20"]);
        await store.commit(shard, commitOf(epoch, 3, at(null)));
        expect(await due(100)).toEqual(["b@20"]);
        expect(await store.nextDue(shard)).toBe(20);
      });

      test("none: nothing due, no next", async () => {
        await acquire();
        expect(await due(1e15)).toEqual([]);
        expect(await store.nextDue(shard)).toBeNull();
      });

      test("instants are exact to the millisecond, far into the future", async () => {
        const epoch = await acquire();
        const far = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
        await store.commit(shard, commitOf(epoch, 0, [write("a", { deadlineAt: instant(far) })]));
        expect(await due(far - 1)).toEqual([]);
        expect(await due(far)).toEqual([`a@${far}`]);
      });
    });

    describe("customers", () => {
      const ids = ["b", "ﬀ", "a", "\u{1f600}", "é", "ab", "B"];
      const inOrder = ["B", "a", "ab", "b", "é", "ﬀ", "\u{1f600}"];

      test("come in the order of their UTF-8 bytes, page by page", async () => {
        const epoch = await acquire();
        await store.commit(
          shard,
          commitOf(
            epoch,
            0,
            ids.map((id) => write(id)),
          ),
        );
        expect(await store.customers(shard, "", 100)).toEqual(inOrder);
        const walked: string[] = [];
        for (let after = ""; ;) {
          const page = await store.customers(shard, after, 2);
          walked.push(...page);
          const last = page.at(-1);
          if (last === undefined) break;
          after = last;
        }
        expect(walked).toEqual(inOrder);
        expect(await store.customers(shard, "ac", 2)).toEqual(["b", "é"]);
        expect(await store.customers(shard, "\u{10ffff}", 2)).toEqual([]);
      });

      test("a walk sees who came and who went meanwhile", async () => {
        const epoch = await acquire();
        await store.commit(
          shard,
          commitOf(
            epoch,
            0,
            ids.map((id) => write(id)),
          ),
        );
        expect(await store.customers(shard, "", 2)).toEqual(["B", "a"]);
        await store.commit(shard, commitOf(epoch, 1, [write("a", { head: plain(2) })]));
        expect(await store.customers(shard, "a", 2)).toEqual(["ab", "b"]);
        await store.commit(shard, commitOf(epoch, 2, [write("é", { head: null }), write("c")]));
        expect(await store.customers(shard, "b", 2)).toEqual(["c", "ﬀ"]);
      });
    });

    describe("clear", () => {
      test("deletes states, chunks, deadlines and marks; epoch and policy text stay", async () => {
        const epoch = await acquire();
        const heavy = write("c", { head: bytes(0, 1), chunks: [[0, bytes(1)]], deadlineAt: instant(1) });
        await store.commit(shard, commitOf(epoch, 0, [heavy], { policyText: "P" }));
        expect(await store.clear(shard, epoch)).toEqual({ kind: "applied" });
        expect(await heads("c")).toEqual([null]);
        expect(await store.nextDue(shard)).toBeNull();
        expect(await store.customers(shard, "", 10)).toEqual([]);
        // The next commit starts from no marks.
        expect(await store.commit(shard, commitOf(epoch, 1, []))).toEqual({ kind: "behind", seq: null });
        expect(await store.clear(shard, epoch)).toEqual({ kind: "applied" });
        const again = await store.acquire(shard);
        expect(again.epoch).toBeGreaterThan(epoch);
        expect(again).toMatchObject({ marks: null, policyText: "P" });
        expect(await store.commit(shard, commitOf(again.epoch, 0, [heavy]))).toEqual({ kind: "applied" });
      });

      test("by a former owner is fenced", async () => {
        const former = await acquire();
        await store.commit(shard, commitOf(former, 0, [write("c")]));
        const epoch = await acquire();
        expect(await store.clear(shard, former)).toEqual({ kind: "fenced", epoch });
        expect(await heads("c")).toEqual([[...plain(1)]]);
      });
    });
  });
}
