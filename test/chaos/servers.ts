import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { bringArtifacts, type Artifacts } from "../../src/app/stack/artifacts.ts";
import { freePort } from "../../src/app/stack/ports.ts";
import { findChild, isAlive, stopChild, type Child } from "../../src/app/stack/processes.ts";
import { startPart } from "../../src/app/stack/stack.ts";
import { startTcpProxy, type TcpProxy } from "../tcp-proxy.ts";
import { killChild } from "./kill-child.ts";
import { RedisServers } from "./redis-servers.ts";

/** The ways by which one process reaches its servers, each with a fault of its own. */
export interface Ways {
  readonly kafka: TcpProxy;
  readonly redis: TcpProxy;
  readonly registry: TcpProxy;
}

const STOP_MS = 30_000;
const REGISTRY_PATH = "/apis/ccompat/v7";

/** The real servers of a run, data and logs in its folder, each to be killed and started again on its data. */
export class ChaosServers {
  readonly redis: RedisServers;
  readonly ways: readonly Ways[];
  readonly #dir: string;
  readonly #artifacts: Artifacts;
  readonly #kafkaPorts: readonly number[];
  #kafka: Child;
  #registry: Child;

  private constructor(
    dir: string,
    artifacts: Artifacts,
    kafkaPorts: readonly number[],
    ways: readonly Ways[],
    parts: { readonly kafka: Child; readonly registry: Child; readonly redis: RedisServers },
  ) {
    this.#dir = dir;
    this.#artifacts = artifacts;
    this.#kafkaPorts = kafkaPorts;
    this.ways = ways;
    this.#kafka = parts.kafka;
    this.#registry = parts.registry;
    this.redis = parts.redis;
  }

  /** @param processes how many processes get ways of their own */
  static async start(
    dir: string,
    processes: number,
    onProgress: (text: string) => void,
  ): Promise<ChaosServers> {
    mkdirSync(dir, { recursive: true });
    const artifacts = await bringArtifacts(onProgress);
    const kafkaPorts: number[] = [];
    const kafkaWays: TcpProxy[] = [];
    for (let i = 0; i < processes; i++) {
      const port = await freePort();
      kafkaPorts.push(port);
      kafkaWays.push(await startTcpProxy(port));
    }
    const listeners = listenersOf(kafkaPorts, kafkaWays);
    const starting = await Promise.allSettled([
      startPart(dir, "kafka", artifacts, listeners),
      startPart(dir, "registry", artifacts),
      RedisServers.start(dir, artifacts),
    ]);
    const [startedKafka, startedRegistry, startedRedis] = starting;
    if (
      startedKafka.status === "rejected" ||
      startedRegistry.status === "rejected" ||
      startedRedis.status === "rejected"
    ) {
      for (const part of ["kafka", "registry"]) {
        const child = findChild(dir, part);
        if (child !== null) await stopChild(dir, child, STOP_MS);
      }
      if (startedRedis.status === "fulfilled") await startedRedis.value.stop();
      throw new Error("the servers could not be started", {
        cause: starting.find((each) => each.status === "rejected")?.reason,
      });
    }
    const [kafka, registry, redis] = [startedKafka.value, startedRegistry.value, startedRedis.value];
    const ways: Ways[] = [];
    for (const way of kafkaWays) {
      const toRedis = await startTcpProxy(redis.port);
      ways.push({ kafka: way, redis: toRedis, registry: await startTcpProxy(registry.port) });
    }
    return new ChaosServers(dir, artifacts, kafkaPorts, ways, { kafka, registry, redis });
  }

  /** Where the harness itself goes: past all proxies. */
  get direct(): Readonly<Record<string, string>> {
    return endpoints(this.#kafka.port, this.#registry.port, this.redis.port);
  }

  /** Where a process goes. */
  through(way: number): Readonly<Record<string, string>> {
    const { kafka, registry, redis } = this.#way(way);
    return endpoints(kafka.port, registry.port, redis.port);
  }

  #way(way: number): Ways {
    const found = this.ways[way];
    if (found === undefined) throw new Error(`there is no way ${way}`);
    return found;
  }

  killKafka(): Promise<void> {
    return killChild(this.#kafka);
  }

  /** A clean stop. The stack's own would forget the port. */
  async stopKafka(): Promise<void> {
    process.kill(this.#kafka.pid, "SIGTERM");
    const deadline = Date.now() + STOP_MS;
    while (isAlive(this.#kafka) && Date.now() < deadline) await sleep(50);
    if (isAlive(this.#kafka)) await this.killKafka();
  }

  async startKafka(): Promise<void> {
    const listeners = listenersOf(
      this.#kafkaPorts,
      this.ways.map(({ kafka }) => kafka),
    );
    if (!isAlive(this.#kafka)) this.#kafka = await startPart(this.#dir, "kafka", this.#artifacts, listeners);
  }

  killRegistry(): Promise<void> {
    return killChild(this.#registry);
  }

  async startRegistry(): Promise<void> {
    if (!isAlive(this.#registry)) this.#registry = await startPart(this.#dir, "registry", this.#artifacts);
  }

  /** After a promotion all processes find the new master where the old one was, as behind a service name. */
  redirectToMaster(): void {
    for (const { redis } of this.ways) {
      redis.targetPort = this.redis.port;
      redis.cut();
    }
  }

  /** Ends every trouble on the ways. */
  async clearWays(): Promise<void> {
    for (const way of this.ways) {
      for (const proxy of [way.kafka, way.redis, way.registry]) {
        proxy.isFrozen = false;
        proxy.swallowsAnswers = false;
        proxy.delayMs = 0;
        await proxy.up();
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all([
      stopChild(this.#dir, this.#kafka, STOP_MS),
      stopChild(this.#dir, this.#registry, STOP_MS),
      this.redis.stop(),
      ...this.ways.flatMap(({ kafka, redis, registry }) => [kafka.down(), redis.down(), registry.down()]),
    ]);
  }
}

function listenersOf(
  ports: readonly number[],
  proxies: readonly TcpProxy[],
): { port: number; advertisedPort: number }[] {
  return ports.map((port, i) => ({ port, advertisedPort: proxies[i]?.port ?? port }));
}

function endpoints(kafka: number, registry: number, redis: number): Readonly<Record<string, string>> {
  return {
    KAFKA_BROKERS: `127.0.0.1:${kafka}`,
    SCHEMA_REGISTRY_URL: `http://127.0.0.1:${registry}${REGISTRY_PATH}`,
    REDIS_URL: `redis://127.0.0.1:${redis}`,
  };
}
