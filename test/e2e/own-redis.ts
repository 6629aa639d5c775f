import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { bringArtifacts } from "../../src/app/stack/artifacts.ts";
import { freePort } from "../../src/app/stack/ports.ts";
import { endWithTests } from "../child.ts";
import { shardKeys } from "../../src/adapters/redis/keys.ts";

/** A Redis of a test's own, which may be killed, emptied and set back without harm to other tests. */
export interface OwnRedis {
  readonly url: string;
  readonly port: number;
  readonly client: Redis;
  /** Copies what is on disk now. */
  save(): string;
  kill(): Promise<void>;
  /** Starts again, on what is on disk, or on a saved copy of it. */
  restart(saved?: string): Promise<void>;
  close(): Promise<void>;
}

export async function openRedis(): Promise<OwnRedis> {
  const { redisServer } = await bringArtifacts(() => undefined);
  const folder = mkdtempSync(join(tmpdir(), "clientela-own-redis-"));
  const data = join(folder, "data");
  const port = await freePort();
  let copies = 0;
  let child: ChildProcess | null = null;
  const client = new Redis(port, "127.0.0.1", { retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on("error", () => undefined);

  const kill = async (): Promise<void> => {
    const running = child;
    child = null;
    if (running === null) return;
    const closed = once(running, "close");
    running.kill("SIGKILL");
    await closed;
  };
  const start = async (): Promise<void> => {
    mkdirSync(data, { recursive: true });
    const args = ["--bind", "127.0.0.1", "--port", String(port), "--dir", data, "--save", ""];
    const durable = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"];
    child = spawn(redisServer, [...args, ...durable], { stdio: "ignore" });
    endWithTests(child);
    while ((await client.ping().catch(() => null)) !== "PONG") await sleep(20);
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    client,
    save() {
      const copy = join(folder, `copy-${copies++}`);
      cpSync(data, copy, { recursive: true });
      return copy;
    },
    kill,
    async restart(saved) {
      await kill();
      if (saved !== undefined) {
        rmSync(data, { recursive: true, force: true });
        cpSync(saved, data, { recursive: true });
      }
      await start();
    },
    async close() {
      client.disconnect();
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Every shard's states, chunks and deadlines, but not its marks, in a form that compares. */
export async function contentOf(
  { client }: OwnRedis,
  applicationId: string,
  shards: number,
): Promise<Record<string, Record<string, string>>[]> {
  return Promise.all(
    Array.from({ length: shards }, async (_, shard) => {
      const { states, chunks, deadlines } = shardKeys(applicationId, shard);
      const due = (await client.call("ZRANGE", deadlines, 0, -1, "WITHSCORES")) as string[];
      return {
        states: await hashOf(client, states),
        chunks: await hashOf(client, chunks),
        deadlines: Object.fromEntries(pairs(due).sort()),
      };
    }),
  );
}

async function hashOf(client: Redis, key: string): Promise<Record<string, string>> {
  const found = (await client.callBuffer("HGETALL", key)) as Buffer[];
  return Object.fromEntries(pairs(found.map((item) => item.toString("hex"))).sort());
}

function pairs(items: readonly string[]): [string, string][] {
  return Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i] ?? "", items[2 * i + 1] ?? ""]);
}
