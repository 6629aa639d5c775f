import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { produce } from "../../src/app/produce.ts";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, start, type Child } from "../child.ts";
import { freshApplication, LOGGER, logOf, startRun, until, type Application } from "./application.ts";

const DRAIN_MS = 4_000;
/** Beyond the drain time: the farewells, leaving the group, and a busy machine. */
const STOP_MS = DRAIN_MS + 6_000;
const ORDERS = 60_000;

const folder = mkdtempSync(join(tmpdir(), "clientela-stop-"));
const load = new AbortController();
let application: Application;
let steady: Child;
let producing: Promise<unknown>;

/** A processor that stays, under load, while others come and go beside it. */
beforeAll(async () => {
  application = freshApplication({ CLIENTELA_DRAIN_MS: String(DRAIN_MS), CLIENTELA_THREADS: "2" });
  expect((await run(["setup"], application.env)).code).toBe(0);
  ({ child: steady } = await startRun(application.env));
  const file = join(folder, "orders.jsonl");
  const at = Date.now() - 86_400_000;
  writeFileSync(
    file,
    Array.from({ length: ORDERS }, (_, i) => `${JSON.stringify(orderOf(i, at))}\n`).join(""),
  );
  producing = produce({
    servers: application.servers,
    files: [file],
    rate: 1_000,
    signal: load.signal,
    logger: LOGGER,
    onProgress: () => undefined,
    onRefused: (_file, line, why) => expect.fail(`line ${line}: ${why}`),
  });
}, 120_000);

afterAll(async () => {
  load.abort();
  await producing;
  steady.process.kill("SIGTERM");
  await steady.ended;
  rmSync(folder, { recursive: true, force: true });
});

function orderOf(i: number, at: number): object {
  return {
    topic: "orders",
    eventId: `e${i}`,
    customerId: `c${i % 2_000}`,
    occurredAt: at + i,
    orderId: `o${i}`,
    kind: "PLACED",
    amountMinor: 1990,
    currency: "EUR",
  };
}

const said = (child: Child, msg: string): boolean => logOf(child).some((line) => line["msg"] === msg);

const MOMENTS: Readonly<Record<string, (child: Child) => Promise<void>>> = {
  "as it starts": (child) => until("a start", 30_000, () => said(child, "starting"), child),
  "while it joins the group": async (child) => {
    await until("a start", 30_000, () => said(child, "starting"), child);
    await sleep(700);
  },
  "when it is given shards": (child) => until("shards", 30_000, () => said(child, "shards assigned"), child),
  "as it acquires them": (child) => until("a shard", 30_000, () => said(child, "shard acquired"), child),
  "amid its commits": async (child) => {
    await until("a start", 30_000, () => said(child, "started"), child);
    await sleep(400);
  },
};

test.each(Object.entries(MOMENTS))(
  "SIGTERM %s: the process drains, leaves and ends with 0, in time (I1)",
  async (_name, moment) => {
    for (let round = 0; round < 2; round++) {
      const child = start(["run"], application.env);
      try {
        await moment(child);
        const askedAt = Date.now();
        child.process.kill("SIGTERM");
        const code = await Promise.race([child.ended, sleep(STOP_MS, "still there")]);
        expect(code, child.stderr().slice(-2_000)).toBe(0);
        expect(Date.now() - askedAt).toBeLessThan(STOP_MS);
      } finally {
        child.process.kill("SIGKILL");
      }
    }
    expect(steady.process.exitCode).toBeNull();
  },
);
