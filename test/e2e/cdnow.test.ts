import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withAdmin } from "../../src/app/admin.ts";
import { produce } from "../../src/app/produce.ts";
import type { Classification } from "../../src/domain/classification.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import { run, start, type Child } from "../child.ts";
import { freshApplication, LOGGER, logOf, subscribe, until } from "./application.ts";
import { cdnowLines } from "./cdnow-events.ts";
import { chainsOf, isChain, placeOf, replayedChanges } from "./chains.ts";

const AS_OF = "1998-06-30T23:59:59Z";
const NEVER = new AbortController().signal;
const ignore = (): void => undefined;

const folder = mkdtempSync(join(tmpdir(), "clientela-cdnow-"));
const inOrder = join(folder, "orders.jsonl");
const shuffled = join(folder, "shuffled.jsonl");

beforeAll(() => {
  const lines = cdnowLines();
  writeFileSync(inOrder, `${lines.join("\n")}\n`);
  writeFileSync(shuffled, `${shuffle(lines).join("\n")}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("CDNOW by replay", () => {
  test("gives the known segments, and the same timeline bytes in any order of the file (S1, I3)", async () => {
    const outputs = [inOrder, shuffled].map((file) => ({
      file,
      timeline: `${file}.timeline`,
      segments: `${file}.segments`,
    }));
    for (const { file, timeline, segments } of outputs) {
      const { code } = await run([
        "replay",
        file,
        "--as-of",
        AS_OF,
        "--timeline",
        timeline,
        "--segments",
        segments,
      ]);
      expect(code).toBe(0);
    }
    const [first, second] = outputs.map(({ timeline }) => readFileSync(timeline));
    expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true);
    expect(first?.toString("latin1").split("\n")).toHaveLength(89_809 + 1);
    const counts = new Map<string, number>();
    for (const line of readFileSync(`${shuffled}.segments`, "utf8").trimEnd().split("\n")) {
      const { classification } = JSON.parse(line) as { classification: Classification };
      const name = `${classification.status}/${classification.stage}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect(Object.fromEntries(counts)).toEqual({
      "ACTIVE/ACCOUNT": 1184,
      "ACTIVE/BUYER": 4082,
      "ACTIVE/PATRON": 20,
      "INACTIVE/BUYER": 6227,
      "INACTIVE/TESTER": 11_989,
      "UNQUALIFIED/NONE": 68,
    });
  });
});

describe("CDNOW through Kafka, registry and Redis", () => {
  test("two processors, one killed midway and started again, publish what a replay does, each change once (A4)", async () => {
    // Small batches, so that midway is a place and not a moment.
    const application = freshApplication({ CLIENTELA_PARTITIONS: "8", CLIENTELA_BATCH_RECORDS: "250" });
    const { env, servers } = application;
    expect((await run(["setup"], env)).code).toBe(0);
    const events = await produce({
      servers,
      files: [inOrder],
      rate: null,
      signal: NEVER,
      logger: LOGGER,
      onProgress: ignore,
      onRefused: (_file, line, why) => expect.fail(`line ${line}: ${why}`),
    });
    const expected = await replayedChanges(inOrder, Date.now());
    const expectedTotal = [...expected.values()].reduce((sum, changes) => sum + changes.length, 0);

    const subscription = await subscribe(application);
    const running: Child[] = [];
    try {
      const [survivor, victim] = [start(["run"], env), start(["run"], env)];
      running.push(survivor, victim);
      const acquired = (child: Child): number =>
        logOf(child).filter(({ msg }) => msg === "shard acquired").length;
      await until("both at work", 60_000, () => acquired(survivor) > 0 && acquired(victim) > 0, victim);
      await until("midway", 60_000, () => subscription.seen.length > expectedTotal / 10, victim);

      const before = acquired(survivor);
      victim.process.kill("SIGKILL");
      const killedAt = Date.now();
      const left = events - (await committedRecords(application));
      expect(left, "records not yet folded when the processor was killed").toBeGreaterThan(events / 10);
      expect(await victim.ended).toBe("SIGKILL");
      const again = start(["run"], env);
      running.push(again);
      await until("hand-over", 60_000, () => acquired(survivor) + acquired(again) > before, survivor);
      process.stdout.write(
        `killed with ${left} of ${events} records to go; its first shard was at work elsewhere after ${Date.now() - killedAt} ms\n`,
      );
      await until("every change", 90_000, () => subscription.seen.length >= expectedTotal, survivor);
      for (const child of [survivor, again]) child.process.kill("SIGTERM");
      expect(await Promise.all([survivor.ended, again.ended])).toEqual([0, 0]);
    } finally {
      for (const child of running) child.process.kill("SIGKILL");
      await subscription.stop();
    }

    const published = chainsOf(subscription.seen);
    expect([...published.keys()].sort()).toEqual([...expected.keys()].sort());
    const judged = [...published].map(([customerId, changes]) => {
      const reference = expected.get(customerId) ?? [];
      return {
        customerId,
        isChain: isChain(changes),
        now: placeOf(changes.at(-1)?.current),
        then: placeOf(inForceAt(changes, Date.parse(AS_OF))),
        changeIds: changes.map(({ changeId }) => changeId),
        expected: {
          now: placeOf(reference.at(-1)?.current),
          then: placeOf(inForceAt(reference, Date.parse(AS_OF))),
          changeIds: reference.map(({ changeId }) => changeId),
        },
      };
    });
    const wrong = judged.filter(
      ({ isChain, now, then, changeIds, expected }) =>
        !isChain || !isDeepStrictEqual({ now, then, changeIds }, expected),
    );
    expect(wrong.slice(0, 3)).toEqual([]);
    const ids = subscription.seen.map(({ change }) => change?.changeId);
    expect(new Set(ids).size).toBe(ids.length);
  }, 300_000);
});

function inForceAt(changes: readonly SegmentChange[], at: number): Classification | undefined {
  return changes.findLast(({ effectiveAt }) => effectiveAt <= at)?.current;
}

/** Records of `orders` below the group's committed offsets. */
async function committedRecords({ servers, prefix }: ReturnType<typeof freshApplication>): Promise<number> {
  return withAdmin(servers, LOGGER, "asking for offsets", async (admin) => {
    const [answer] = await admin.fetchOffsets({
      groupId: servers.applicationId,
      topics: [`${prefix}orders`],
    });
    return answer?.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0) ?? 0;
  });
}

/** Fisher and Yates, with numbers that are the same each time. */
function shuffle(lines: readonly string[]): string[] {
  const shuffled = [...lines];
  let seed = 42;
  for (let i = shuffled.length - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    const j = seed % (i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j] ?? "", shuffled[i] ?? ""];
  }
  return shuffled;
}
