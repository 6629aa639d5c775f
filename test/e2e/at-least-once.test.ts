import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withAdmin } from "../../src/app/admin.ts";
import { kafkaClient } from "../../src/app/compose-kafka.ts";
import { produce } from "../../src/app/produce.ts";
import { run, start, type Child } from "../child.ts";
import { replayedChanges } from "../replayed.ts";
import { freshApplication, LOGGER, subscribe, until, type Application } from "./application.ts";
import { cdnowLines } from "./cdnow-events.ts";
import { startPlainBroker, type PlainBroker } from "./plain-broker.ts";

const NEVER = new AbortController().signal;
const ignore = (): void => undefined;
/** About three purchases each. */
const CUSTOMERS = 4_000;
const KILLS = 4;

const folder = mkdtempSync(join(tmpdir(), "clientela-at-least-once-"));
const orders = join(folder, "orders.jsonl");
let broker: PlainBroker;
let application: Application;

beforeAll(async () => {
  const ofFirst = (line: string): boolean =>
    Number((JSON.parse(line) as { customerId: string }).customerId) <= CUSTOMERS;
  writeFileSync(orders, `${cdnowLines().filter(ofFirst).join("\n")}\n`);
  broker = await startPlainBroker();
  application = freshApplication({
    KAFKA_BROKERS: broker.brokers,
    CLIENTELA_DELIVERY: "at-least-once",
    CLIENTELA_PARTITIONS: "4",
    // Many small commits: a kill hits one of them.
    CLIENTELA_BATCH_RECORDS: "20",
    CLIENTELA_THREADS: "1",
  });
});
afterAll(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("at least once on a broker without transactions (A4)", () => {
  test("a broker as here takes no transaction", async () => {
    const retry = { retries: 1, initialRetryTime: 20, maxRetryTime: 50 };
    const producer = kafkaClient(application.servers, LOGGER).producer({ transactionalId: "any", retry });
    await producer.connect();
    await expect(producer.transaction()).rejects.toThrow(/coordinator/i);
    await producer.disconnect();
  });

  test("killed again and again: dropping repeats leaves what a replay publishes, and what is repeated is the same", async () => {
    const { env, servers } = application;
    const { code, stdout } = await run(["setup"], env);
    expect([code, stdout]).toEqual([0, expect.stringContaining(`${servers.applicationId}-outbox: created`)]);
    await produce({
      servers,
      files: [orders],
      rate: null,
      signal: NEVER,
      logger: LOGGER,
      onProgress: ignore,
      onRefused: (_file, line, why) => expect.fail(`line ${line}: ${why}`),
    });
    const expected = await replayedIds(Date.now());
    const expectedTotal = [...expected.values()].flat().length;

    const subscription = await subscribe(application);
    const distinct = (): number => new Set(subscription.seen.map(({ change }) => change?.changeId)).size;
    let child: Child | null = null;
    try {
      for (let kill = 1; kill <= KILLS; kill++) {
        const killed = (child = start(["run"], env));
        const goal = (expectedTotal * kill) / (KILLS + 2);
        await until(`change ${Math.round(goal)}`, 60_000, () => distinct() >= goal, killed);
        killed.process.kill("SIGKILL");
        expect(await killed.ended).toBe("SIGKILL");
      }
      const last = (child = start(["run"], env));
      await until("every change", 90_000, () => distinct() >= expectedTotal, last);
      last.process.kill("SIGTERM");
      expect(await last.ended).toBe(0);
    } finally {
      child?.process.kill("SIGKILL");
      await subscription.stop();
    }

    const first = new Map<string, unknown>();
    const kept = new Map<string, string[]>();
    for (const { customerId, change } of subscription.seen) {
      if (change === null) throw new Error(`nobody erased ${customerId}`);
      if (first.has(change.changeId)) {
        expect(change).toEqual(first.get(change.changeId));
        continue;
      }
      first.set(change.changeId, change);
      const ids = kept.get(customerId) ?? [];
      kept.set(customerId, ids);
      ids.push(change.changeId);
    }
    expect(kept).toEqual(expected);
    const repeats = subscription.seen.length - first.size;
    process.stdout.write(`${first.size} changes, ${repeats} came again after ${KILLS} kills\n`);
    expect(repeats).toBeGreaterThan(0);
  }, 300_000);

  test("a clean stop and start repeats nothing, and the group's offsets tell the lag", async () => {
    const { env, servers, prefix } = application;
    const subscription = await subscribe(application);
    try {
      const child = start(["run"], env);
      await until("an acquired shard", 60_000, () => child.stderr().includes("shard acquired"), child);
      const before = subscription.seen.length;
      const event = {
        topic: "orders",
        kind: "PLACED",
        eventId: "new",
        customerId: "newcomer",
        occurredAt: new Date().toISOString(),
        orderId: "o-new",
        amountMinor: 100,
        currency: "EUR",
      };
      writeFileSync(join(folder, "new.jsonl"), JSON.stringify(event));
      expect((await run(["produce", join(folder, "new.jsonl")], env)).code).toBe(0);
      const isThere = (): boolean => subscription.seen.some(({ customerId }) => customerId === "newcomer");
      await until("the newcomer", 30_000, isThere, child);
      child.process.kill("SIGTERM");
      expect(await child.ended).toBe(0);
      expect(subscription.seen.length - before).toBe(1);
    } finally {
      await subscription.stop();
    }
    await withAdmin(servers, LOGGER, "asking for offsets", async (admin) => {
      const topic = `${prefix}orders`;
      const [group] = await admin.fetchOffsets({ groupId: servers.applicationId, topics: [topic] });
      const ends = await admin.fetchTopicOffsets(topic);
      const byPartition = (all: readonly { partition: number }[]): unknown[] =>
        [...all].sort((a, b) => a.partition - b.partition);
      expect(
        byPartition(group?.partitions.map(({ partition, offset }) => ({ partition, offset })) ?? []),
      ).toEqual(byPartition(ends.map(({ partition, high }) => ({ partition, offset: high }))));
      expect(await admin.listTopics()).not.toContain("__transaction_state");
    });
  });

  test("processes that deliver otherwise are refused while these run (A4)", async () => {
    const child = start(["run"], application.env);
    await until("an acquired shard", 60_000, () => child.stderr().includes("shard acquired"), child);
    const other = await run(["run"], { ...application.env, CLIENTELA_DELIVERY: "exactly-once" });
    expect([other.code, other.stderr]).toEqual([3, expect.stringContaining("[DELIVERY_DIFFERS]")]);
    child.process.kill("SIGTERM");
    expect(await child.ended).toBe(0);
  });
});

async function replayedIds(asOf: number): Promise<Map<string, string[]>> {
  const ids = new Map<string, string[]>();
  for (const [customerId, change] of await replayedChanges(orders, asOf)) {
    if (change === null) throw new Error(`nobody erased ${customerId}`);
    const known = ids.get(customerId) ?? [];
    ids.set(customerId, known);
    known.push(change.changeId);
  }
  return ids;
}
