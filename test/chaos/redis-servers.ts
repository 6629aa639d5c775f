import { cpSync, existsSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { Artifacts } from "../../src/app/stack/artifacts.ts";
import { stopChild, type Child } from "../../src/app/stack/processes.ts";
import { startPart } from "../../src/app/stack/stack.ts";
import { killChild } from "./kill-child.ts";
import { until } from "./until.ts";

const STOP_MS = 5_000;
const LOADED_MS = 30_000;
const SYNCED_MS = 20_000;
const FLUSHED_MS = 20_000;

/** A master with its append-only file, and a replica when one is wanted: each a `redis-server` in a folder of its own. */
export class RedisServers {
  readonly #dir: string;
  readonly #artifacts: Artifacts;
  #master: { readonly dir: string; child: Child };
  #replica: { readonly dir: string; child: Child } | null = null;
  #servers = 1;

  private constructor(dir: string, artifacts: Artifacts, master: { dir: string; child: Child }) {
    this.#dir = dir;
    this.#artifacts = artifacts;
    this.#master = master;
  }

  static async start(dir: string, artifacts: Artifacts): Promise<RedisServers> {
    const home = join(dir, "redis-1");
    return new RedisServers(dir, artifacts, {
      dir: home,
      child: await startPart(home, "redis", artifacts),
    });
  }

  /** The master's. */
  get port(): number {
    return this.#master.child.port;
  }

  kill(): Promise<void> {
    return killChild(this.#master.child);
  }

  /** Starts the master again on whatever its folder holds now; resolves when that is loaded. */
  async startAgain(): Promise<void> {
    const { dir, child } = this.#master;
    this.#master.child = await startPart(dir, "redis", this.#artifacts);
    if (this.#master.child.port !== child.port) throw new Error("Redis came back on another port");
    await this.ask((redis) => redis.ping());
  }

  /**
   * Kills the master and cuts the last bytes off its append-only file, as a machine does that loses power: never of what a
   * rewrite or the start has left there, which was flushed before it took the old file's place. Returns how many were cut.
   */
  async killAndTruncate(bytes: number): Promise<number> {
    const info = await this.ask((redis) => redis.info("persistence"));
    const flushed = Number(/aof_base_size:(\d+)/.exec(info)?.[1] ?? Number.NaN);
    await this.kill();
    const { file, isWhole } = this.#appendOnlyFile();
    const size = statSync(file).size;
    const cut = Math.max(0, Math.min(bytes, isWhole ? size - flushed : size));
    truncateSync(file, size - cut);
    return cut;
  }

  /** Has all that is there written anew and flushed: what is lost from then on came later. */
  async flush(): Promise<void> {
    await this.ask(async (redis) => {
      await redis.bgrewriteaof();
      await until("Redis to write its file anew", FLUSHED_MS, async () =>
        /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(await redis.info("persistence")),
      );
    });
  }

  /** Keeps the data as they are on disk now. */
  keepCopy(): void {
    const { data, copy } = this.#folders();
    rmSync(copy, { recursive: true, force: true });
    cpSync(data, copy, { recursive: true });
  }

  /** Puts the copy in the place of the data; the master must be down. */
  putCopyBack(): void {
    const { data, copy } = this.#folders();
    rmSync(data, { recursive: true, force: true });
    cpSync(copy, data, { recursive: true });
  }

  /** Deletes all data; the master must be down. */
  wipe(): void {
    rmSync(this.#folders().data, { recursive: true, force: true });
  }

  /** Starts a replica; resolves when it has all that the master has. */
  async startReplica(): Promise<void> {
    const dir = join(this.#dir, `redis-${++this.#servers}`);
    const child = await startPart(dir, "redis", this.#artifacts);
    this.#replica = { dir, child };
    await askAt(child.port, async (redis) => {
      await redis.replicaof("127.0.0.1", this.port);
      await until("the replica to come up to the master", SYNCED_MS, async () =>
        (await redis.info("replication")).includes("master_link_status:up"),
      );
    });
  }

  /** From here on the replica hears nothing of its master: it falls behind. */
  async cutReplication(): Promise<void> {
    const { child } = this.#needReplica();
    await askAt(child.port, (redis) => redis.replicaof("NO", "ONE"));
  }

  /** The master dies for good, the replica takes its place with what it has. */
  async promote(): Promise<void> {
    const replica = this.#needReplica();
    await this.kill();
    this.#master = replica;
    this.#replica = null;
  }

  ask<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    return askAt(this.port, work);
  }

  async stop(): Promise<void> {
    for (const server of [this.#master, this.#replica]) {
      if (server !== null) await stopChild(server.dir, server.child, STOP_MS);
    }
  }

  #needReplica(): { readonly dir: string; child: Child } {
    if (this.#replica === null) throw new Error("there is no replica");
    return this.#replica;
  }

  #folders(): { readonly data: string; readonly copy: string } {
    const { dir } = this.#master;
    return { data: join(dir, "redis-data"), copy: join(dir, "redis-copy") };
  }

  /** One file with all in it up to Redis 6; from 7 on a folder of them, of which the last increment is being written. */
  #appendOnlyFile(): { readonly file: string; readonly isWhole: boolean } {
    const { data } = this.#folders();
    const single = join(data, "appendonly.aof");
    if (existsSync(single)) return { file: single, isWhole: true };
    const folder = join(data, "appendonlydir");
    const last = readdirSync(folder)
      .filter((name) => name.endsWith(".incr.aof"))
      .sort((a, b) => statSync(join(folder, a)).mtimeMs - statSync(join(folder, b)).mtimeMs)
      .at(-1);
    if (last === undefined) throw new Error(`${folder} holds no increment`);
    return { file: join(folder, last), isWhole: false };
  }
}

/** A connection for a piece of work, past all proxies; waits until the server has loaded its data. */
async function askAt<T>(port: number, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ host: "127.0.0.1", port, lazyConnect: true, maxRetriesPerRequest: null });
  redis.on("error", () => undefined);
  const timer = setTimeout(() => redis.disconnect(), LOADED_MS);
  try {
    await redis.connect();
    return await work(redis);
  } finally {
    clearTimeout(timer);
    redis.disconnect();
  }
}
