import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { produce } from "../../src/app/produce.ts";
import { DAY_MS } from "../../src/shared/instant.ts";
import { run } from "../child.ts";
import { freshApplication, LOGGER, startRun, subscribe, until } from "./application.ts";

const CUSTOMERS = 10_000;
/** Time to fold the orders before the first deadline, and how far the deadlines lie apart. */
const LEAD_MS = 15_000;
const SPREAD_MS = 15_000;

test("a deadline without an event is published within a second of it: p99 of 10 000 customers (A5, S7.1b)", async () => {
  const application = freshApplication();
  expect((await run(["setup"], application.env)).code).toBe(0);
  const { child } = await startRun(application.env);
  const subscription = await subscribe(application);
  const folder = mkdtempSync(join(tmpdir(), "clientela-deadlines-"));
  try {
    // A consumer with one purchase is ACTIVE for exactly 180 days (S4.3, worked case 4).
    const firstAt = Date.now() + LEAD_MS;
    const deadlines = new Map(
      Array.from({ length: CUSTOMERS }, (_, i) => [
        `c${i}`,
        firstAt + Math.floor((i * SPREAD_MS) / CUSTOMERS),
      ]),
    );
    const file = join(folder, "orders.jsonl");
    writeFileSync(
      file,
      [...deadlines]
        .map(([customerId, at]) => `${JSON.stringify(onlyOrder(customerId, at - 180 * DAY_MS))}\n`)
        .join(""),
    );
    await produce({
      servers: application.servers,
      files: [file],
      rate: null,
      signal: new AbortController().signal,
      logger: LOGGER,
      onProgress: () => undefined,
      onRefused: (_file, line, why) => expect.fail(`line ${line}: ${why}`),
    });
    await until("all orders folded", LEAD_MS, () => subscription.seen.length >= CUSTOMERS, child);
    expect(
      Date.now(),
      "orders are folded before the first deadline, so that time alone sets it off",
    ).toBeLessThan(firstAt);
    await until(
      "all deadlines",
      LEAD_MS + SPREAD_MS + 30_000,
      () => subscription.seen.length >= 2 * CUSTOMERS,
      child,
    );

    const lapses = subscription.seen.filter(({ change }) => change?.cause.kind === "DEADLINE");
    expect(lapses).toHaveLength(CUSTOMERS);
    const wrong = lapses.filter(
      ({ customerId, change }) =>
        change?.effectiveAt !== deadlines.get(customerId) ||
        change?.current.status !== "INACTIVE" ||
        change.origin !== "LIVE",
    );
    expect(wrong).toEqual([]);
    const lateMs = lapses
      .map(({ change, receivedAt }) => receivedAt - (change?.effectiveAt ?? NaN))
      .sort((a, b) => a - b);
    const quantile = (q: number): number => lateMs[Math.ceil(q * lateMs.length) - 1] ?? NaN;
    process.stdout.write(
      `deadline to subscriber, ${CUSTOMERS} customers: p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, max ${quantile(1)} ms\n`,
    );
    expect(quantile(0.99)).toBeLessThanOrEqual(1000);
    child.process.kill("SIGTERM");
    expect(await child.ended).toBe(0);
  } finally {
    child.process.kill("SIGKILL");
    await subscription.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

function onlyOrder(customerId: string, occurredAt: number): object {
  return {
    topic: "orders",
    eventId: `e-${customerId}`,
    customerId,
    occurredAt,
    orderId: `o-${customerId}`,
    kind: "PLACED",
    amountMinor: 1990,
    currency: "EUR",
  };
}
