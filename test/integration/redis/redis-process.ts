import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { bringArtifacts } from "../../../src/app/stack/artifacts.ts";
import { endWithTests } from "../../child.ts";

const HOST = "127.0.0.1";
/** A cluster's nodes talk on this port beyond the one for clients, before version 7 always. */
const BUS = 10_000;

/** A redis-server of a test's own, on loopback, that can be killed and started again on its data. */
export class RedisProcess {
  readonly port: number;
  readonly #dir: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;
  #admin: Redis | null = null;

  private constructor(dir: string, port: number, args: readonly string[]) {
    this.port = port;
    this.#dir = dir;
    this.#args = args;
  }

  static async start(dir: string, args: readonly string[]): Promise<RedisProcess> {
    const port = await freePortWithBus();
    const data = join(dir, String(port));
    mkdirSync(data, { recursive: true });
    const server = new RedisProcess(data, port, args);
    await server.start();
    return server;
  }

  get address(): string {
    return `${HOST}:${this.port}`;
  }

  get url(): string {
    return `redis://${this.address}`;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** A connection of the test's own, past the code under test. */
  get admin(): Redis {
    if (this.#admin === null) throw new Error(`redis ${this.address} does not run`);
    return this.#admin;
  }

  async start(): Promise<void> {
    const { redisServer } = await bringArtifacts((text) => process.stderr.write(`${text}\n`));
    const log = openSync(join(this.#dir, "redis.log"), "a");
    const args = ["--bind", HOST, "--port", String(this.port), "--dir", this.#dir, "--save", ""];
    const child = spawn(redisServer, [...args, "--maxmemory-policy", "noeviction", ...this.#args], {
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    endWithTests(child);
    this.#child = child;
    this.#admin = new Redis(this.port, HOST, {
      // While it starts, and when a test has killed it.
      retryStrategy: () => (this.#child === child ? 50 : null),
      maxRetriesPerRequest: null,
    });
    this.#admin.on("error", () => undefined);
    await Promise.race([
      this.#admin.ping(),
      once(child, "exit").then(() => {
        const said = readFileSync(join(this.#dir, "redis.log"), "utf8").slice(-1000);
        throw new Error(`redis ${this.address} ended while it was starting: ${said}`);
      }),
    ]);
  }

  /** SIGKILL, as a machine that is gone; resolves when it is. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    this.#admin?.disconnect();
    this.#admin = null;
  }

  /** Stops it in its tracks, connections open, for so long. */
  async freeze(forMs: number): Promise<void> {
    const child = this.#child;
    if (child === null) throw new Error(`redis ${this.address} does not run`);
    child.kill("SIGSTOP");
    try {
      await sleep(forMs);
    } finally {
      child.kill("SIGCONT");
    }
  }
}

/** Below the ports that the system gives to outgoing connections, so that the bus port stays free until it is taken. */
async function freePortWithBus(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = 10_100 + Math.floor(Math.random() * 9_000);
    if ((await isFree(port)) && (await isFree(port + BUS))) return port;
  }
  throw new Error("no free pair of ports for a Redis Cluster node");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}
