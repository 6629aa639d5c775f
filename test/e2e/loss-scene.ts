import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Admin } from "kafkajs";
import { expect } from "vitest";
import { kafkaClient } from "../../src/app/compose-kafka.ts";
import { produce } from "../../src/app/produce.ts";
import { DAY_MS } from "../../src/shared/instant.ts";
import { jsonLines, run, start, type Child } from "../child.ts";
import { freshApplication, LOGGER, startRun, subscribe, until, type Application } from "./application.ts";
import { contentOf, openRedis, type OwnRedis } from "./own-redis.ts";

export const SHARDS = 4;
const CUSTOMERS = 60;
/** One customer has so many orders that they fill pages of their own (A7). */
const WHOLESALER_ORDERS = 40;
/** So near that no deadline of these events has passed: customers lapse after 45 days at the earliest (S4.3). */
const START = Math.floor(Date.now() / DAY_MS) * DAY_MS - 40 * DAY_MS;

/** Events of the same customers in phases, one after the other, on topics and a Redis of a test's own. */
export interface LossScene {
  readonly application: Application;
  readonly redis: OwnRedis;
  readonly admin: Admin;
  /** For files of the test; gone with the scene. */
  readonly folder: string;
  readonly seen: Awaited<ReturnType<typeof subscribe>>["seen"];
  /** Starts the processor, ready, with these settings in addition. */
  start(settings?: Readonly<Record<string, string>>): Promise<{ child: Child; http: string }>;
  /** Starts it and does not wait. */
  launch(settings: Readonly<Record<string, string>>): Child;
  /** Sends the next phase's events and, while somebody processes, waits for all of its changes. */
  phase(how?: { readonly wait?: boolean; readonly customers?: number }): Promise<void>;
  /** All changes of all phases so far, and no other, each once: those of the same events in files. */
  expectComplete(child?: Child): Promise<void>;
  /** Of each customer the first of those changes, without a gap. */
  expectPrefixes(): Promise<void>;
  content(): ReturnType<typeof contentOf>;
  /** Runs the processor where it must refuse: its exit code, and the one line it says. */
  refused(settings?: Readonly<Record<string, string>>): Promise<string>;
  close(): Promise<void>;
}

export async function openScene(settings: Readonly<Record<string, string>> = {}): Promise<LossScene> {
  const redis = await openRedis();
  const application = freshApplication({
    REDIS_URL: redis.url,
    CLIENTELA_PARTITIONS: String(SHARDS),
    // With two, shards change hands once more at the start, and are acquired oftener than once.
    CLIENTELA_THREADS: "1",
    ...settings,
  });
  const { env, servers } = application;
  const folder = mkdtempSync(join(tmpdir(), "clientela-loss-"));
  const files: string[] = [];
  const children: Child[] = [];
  expect(await run(["setup"], env)).toMatchObject({ code: 0 });
  const admin = kafkaClient(servers, LOGGER).admin();
  await admin.connect();
  const subscription = await subscribe(application);

  const expected = async (): Promise<Map<string, string[]>> => {
    const { code, stdout, stderr } = await run(["replay", ...files, "--changes", "-"]);
    expect(code, stderr).toBe(0);
    return byCustomer(jsonLines(stdout) as { customerId: string; changeId: string }[]);
  };
  const changeIds = (): { customerId: string; changeId: string }[] =>
    subscription.seen.map(({ customerId, change }) => ({ customerId, changeId: change?.changeId ?? "" }));
  const scene: LossScene = {
    application,
    redis,
    admin,
    folder,
    seen: subscription.seen,
    async start(more = {}) {
      const started = await startRun({ ...env, ...more });
      children.push(started.child);
      return started;
    },
    launch(more) {
      const child = start(["run"], { ...env, ...more });
      children.push(child);
      return child;
    },
    async phase({ wait = true, customers = CUSTOMERS } = {}) {
      const file = join(folder, `phase-${files.length}.jsonl`);
      writeFileSync(
        file,
        [...phaseOf(files.length, customers)].map((event) => `${JSON.stringify(event)}\n`).join(""),
      );
      files.push(file);
      await produce({
        servers,
        files: [file],
        rate: null,
        signal: new AbortController().signal,
        logger: LOGGER,
        onProgress: () => undefined,
        onRefused: (_file, line, why) => expect.fail(`line ${line}: ${why}`),
      });
      if (wait) await scene.expectComplete(children.at(-1));
    },
    async expectComplete(child) {
      const wanted = await expected();
      const count = [...wanted.values()].reduce((sum, { length }) => sum + length, 0);
      expect(count).toBeGreaterThan(0);
      await until("all changes", 60_000, () => subscription.seen.length >= count, child);
      expect(byCustomer(changeIds())).toEqual(wanted);
      const seqs = new Map<string, number>();
      for (const { customerId, change } of subscription.seen) {
        expect(change?.seq, customerId).toBeGreaterThan(seqs.get(customerId) ?? -1);
        seqs.set(customerId, change?.seq ?? NaN);
      }
    },
    async expectPrefixes() {
      const wanted = await expected();
      for (const [customerId, found] of byCustomer(changeIds())) {
        expect(found, customerId).toEqual(wanted.get(customerId)?.slice(0, found.length));
      }
    },
    content: () => contentOf(redis, servers.applicationId, SHARDS),
    async refused(more = {}) {
      const { code, stdout, stderr } = await run(["run"], { ...env, CLIENTELA_LOG_LEVEL: "error", ...more });
      expect({ code, stdout, lines: stderr.trimEnd().split("\n").length }, stderr).toEqual({
        code: 3,
        stdout: "",
        lines: 1,
      });
      return stderr;
    },
    async close() {
      for (const { process } of children) process.kill("SIGKILL");
      await Promise.all(children.map(({ ended }) => ended));
      await subscription.stop();
      await admin.disconnect();
      await redis.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return scene;
}

/** Ends a processor as a supervisor does. */
export async function stop(child: Child): Promise<void> {
  child.process.kill("SIGTERM");
  expect(await child.ended, child.stderr().slice(-2000)).toBe(0);
}

/** A processor that must end by itself with exit code 3: the one line it says to people. */
export async function refusalOf(child: Child): Promise<string> {
  expect(await child.ended, child.stderr().slice(-2000)).toBe(3);
  const said = child
    .stderr()
    .split("\n")
    .filter((line) => line.startsWith("clientela: "));
  expect(said, child.stderr().slice(-2000)).toHaveLength(1);
  return said[0] ?? "";
}

/** What Prometheus would read: the sum over all series of a metric that have these labels. */
export async function metric(http: string, name: string, labels = ""): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

function byCustomer(changes: readonly { customerId: string; changeId: string }[]): Map<string, string[]> {
  const lists = new Map<string, string[]>();
  for (const { customerId, changeId } of changes) {
    const list = lists.get(customerId) ?? [];
    list.push(changeId);
    lists.set(customerId, list);
  }
  return new Map([...lists].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** One order of each customer, five days after the phase before; the wholesaler's many in the first. */
function* phaseOf(phase: number, customers: number): Iterable<object> {
  const at = START + 5 * phase * DAY_MS;
  for (let i = 0; i < customers; i++) yield order(`c${i}`, `${phase}`, at + i * 1000, phase);
  const orders = phase === 0 ? WHOLESALER_ORDERS : 1;
  for (let i = 0; i < orders; i++)
    yield order("wholesaler", `${phase}-${i}`, at + 100_000 + i * 3_600_000, i);
}

function order(customerId: string, id: string, occurredAt: number, category: number): object {
  return {
    topic: "orders",
    eventId: `e-${customerId}-${id}`,
    customerId,
    occurredAt,
    orderId: `o-${customerId}-${id}`,
    kind: "PLACED",
    amountMinor: 49_900,
    currency: "EUR",
    units: 2,
    categories: [`k${category % 5}`],
  };
}
