import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRedisStateStore } from "../../src/adapters/redis/state-store.ts";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import type { CustomerEvent } from "../../src/domain/events.ts";
import type { StateStore } from "../../src/pipeline/ports.ts";
import { RedisProcess } from "../integration/redis/redis-process.ts";
import { CODEC, foldedCustomers, mixOf, ordersOf, writeOf } from "./folded.ts";
import { stateBytes } from "./redis-bytes.ts";
import { stateCommit } from "./state-commit.ts";

interface Case {
  readonly figure: string;
  readonly events: () => Iterable<CustomerEvent>;
}

const CASES: readonly Case[] = [
  { figure: "bytesAt6Orders", events: () => ordersOf(20_000, 6) },
  { figure: "bytesAt6Events", events: () => mixOf(20_000, 6) },
  { figure: "bytesAt60Events", events: () => mixOf(2_000, 60) },
  { figure: "bytesAt600Events", events: () => mixOf(300, 600) },
];
const CUSTOMERS_PER_COMMIT = 500;
const SHARD = 0;

/** What a customer takes in Redis, deadline included, after six plain orders, and after 6, 60 and 600 events of the mix in three years. */
export async function benchMemory(say: (text: string) => void): Promise<object> {
  const dir = mkdtempSync(join(tmpdir(), "clientela-bench-"));
  const redis = await RedisProcess.start(dir, ["--appendonly", "no"]);
  try {
    const figures: Record<string, number> = {};
    for (const each of CASES) {
      const bytes = await bytesEach(redis, each);
      say(`${each.figure}: ${bytes} bytes a customer`);
      figures[each.figure] = bytes;
    }
    return figures;
  } finally {
    await redis.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function bytesEach({ url, admin }: RedisProcess, { figure, events }: Case): Promise<number> {
  const applicationId = figure;
  const store = createRedisStateStore({
    url,
    applicationId,
    pages: (head) => CODEC.pages(head),
    logger: createLogger("warn"),
  });
  try {
    await commitAll(store, events());
    const held = await stateBytes(url, applicationId);
    return Math.round(held.bytes / held.customers);
  } finally {
    await store.close();
    await admin.flushall();
  }
}

async function commitAll(store: StateStore, events: Iterable<CustomerEvent>): Promise<void> {
  const writes = [...foldedCustomers(events).values()].map(writeOf);
  const { epoch } = await store.acquire(SHARD);
  for (let from = 0, seq = 1; from < writes.length; from += CUSTOMERS_PER_COMMIT, seq++) {
    const commit = stateCommit(epoch, seq, writes.slice(from, from + CUSTOMERS_PER_COMMIT));
    const { kind } = await store.commit(SHARD, commit);
    if (kind !== "applied") throw new Error(`a commit was ${kind}`);
  }
}
