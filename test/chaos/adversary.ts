import { setTimeout as sleep } from "node:timers/promises";
import { shardKeys } from "../../src/adapters/redis/keys.ts";
import type { Chronicle } from "./chronicle.ts";
import type { Fleet } from "./fleet.ts";
import { describeDeed, type Deed, type PlannedDeed, type ServerDeed } from "./plan.ts";
import type { FactProducer } from "./producer.ts";
import type { ChaosServers, Ways } from "./servers.ts";
import { until } from "./until.ts";

/** Who dies takes along what it has counted since it was asked last. */
const SCRAPE_MS = 2_000;
const REFUSAL_LIMIT_MS = 60_000;
const REBUILD_LIMIT_MS = 120_000;

interface Targets {
  readonly fleet: Fleet;
  readonly servers: ChaosServers;
  readonly producer: FactProducer;
  readonly chronicle: Chronicle;
  readonly applicationId: string;
  readonly partitions: number;
}

/** Does what the plan says, at its times; processes and their ways at once, servers one after the other. */
export class Adversary {
  readonly #targets: Targets;
  readonly #lasting = new Set<Promise<void>>();
  /** Rejects as soon as a deed can't be done: the run would go on without its servers. */
  readonly #failed = Promise.withResolvers<never>();
  #serverDeeds: Promise<void> = Promise.resolve();

  constructor(targets: Targets) {
    this.#targets = targets;
    this.#failed.promise.catch(() => undefined);
  }

  /** Resolves when all that was planned has been done, and undone where it lasts; rejects when something of it can't be. */
  async run(plan: readonly PlannedDeed[]): Promise<void> {
    const { chronicle, fleet } = this.#targets;
    const scraping = setInterval(() => {
      void fleet.scrape();
      if (fleet.isAstray) this.#begin({ kind: "rebuild what is astray" });
    }, SCRAPE_MS);
    try {
      for (const { at, deed } of plan) {
        const waitMs = chronicle.startedAt + at - Date.now();
        if (waitMs > 0) await Promise.race([this.#failed.promise, sleep(waitMs)]);
        this.#begin(deed);
      }
      await Promise.race([this.#failed.promise, Promise.all(this.#lasting)]);
    } finally {
      clearInterval(scraping);
    }
  }

  #begin(deed: Deed): void {
    const doing = this.#do(deed);
    if (doing === null) return;
    const done = doing.catch(this.#failed.reject);
    this.#lasting.add(done);
    void done.then(() => this.#lasting.delete(done));
  }

  /** What lasts; null: it is done. */
  #do(deed: Deed): Promise<void> | null {
    const { fleet, producer, chronicle } = this.#targets;
    switch (deed.kind) {
      case "kill":
        if (fleet.kill(deed.place)) chronicle.tell(describeDeed(deed));
        return null;
      case "die at": {
        // A re-fold comes when somebody has died at the right moment before: whoever does it is to die.
        const places = deed.point === "within the silent re-fold" ? fleet.mortalPlaces : [deed.place];
        for (const place of places) {
          if (fleet.dieAt(place, { point: deed.point, skip: deed.skip }))
            chronicle.tell(describeDeed({ ...deed, place }));
        }
        return null;
      }
      case "freeze":
        if (!fleet.freeze(deed.place)) return null;
        chronicle.tell(describeDeed(deed));
        return this.#later(deed.forMs, () => {
          fleet.wake(deed.place);
          chronicle.tell(`place ${deed.place} wakes`);
        });
      case "leave":
        if (!fleet.leave(deed.place)) return null;
        chronicle.tell(describeDeed(deed));
        return this.#later(deed.forMs, () => fleet.fill(deed.place));
      case "cut":
        chronicle.tell(describeDeed(deed));
        chronicle.count("connections cut");
        this.#ways(deed.place)[deed.way].cut();
        return null;
      case "hold up": {
        chronicle.tell(describeDeed(deed));
        chronicle.count("connections held up");
        const way = this.#ways(deed.place)[deed.way];
        way.isFrozen = true;
        return this.#later(deed.forMs, () => void (way.isFrozen = false));
      }
      case "delay": {
        chronicle.tell(describeDeed(deed));
        chronicle.count("connections slowed");
        const way = this.#ways(deed.place)[deed.way];
        way.delayMs = deed.byMs;
        return this.#later(deed.forMs, () => void (way.delayMs = 0));
      }
      case "lose answers": {
        chronicle.tell(describeDeed(deed));
        chronicle.count("answers lost");
        const way = this.#ways(deed.place).redis;
        way.swallowsAnswers = true;
        return this.#later(deed.forMs, () => {
          way.swallowsAnswers = false;
          way.cut();
        });
      }
      case "burst": {
        const records = producer.burst(deed.partition, deed.records);
        if (records > 0) chronicle.tell(describeDeed(deed));
        chronicle.count("bursts", records > 0 ? 1 : 0);
        return null;
      }
      default:
        this.#serverDeeds = this.#serverDeeds.then(() => this.#doToServer(deed));
        return this.#serverDeeds;
    }
  }

  async #doToServer(deed: ServerDeed): Promise<void> {
    const { servers, chronicle } = this.#targets;
    const { redis } = servers;
    chronicle.tell(describeDeed(deed));
    switch (deed.kind) {
      case "kill broker":
      case "stop broker":
        chronicle.count("broker faults");
        if (deed.kind === "kill broker") await servers.killKafka();
        else await servers.stopKafka();
        await sleep(deed.forMs);
        await servers.startKafka();
        break;
      case "kill registry":
        chronicle.count("registry faults");
        await servers.killRegistry();
        await sleep(deed.forMs);
        await servers.startRegistry();
        break;
      case "kill Redis":
        chronicle.count("Redis faults");
        await redis.kill();
        await sleep(deed.forMs);
        await redis.startAgain();
        break;
      case "truncate Redis": {
        chronicle.count("Redis faults");
        const cut = await redis.killAndTruncate(deed.bytes);
        chronicle.count("Redis losses", cut > 0 ? 1 : 0);
        await sleep(deed.forMs);
        await redis.startAgain();
        chronicle.tell(`Redis has lost its last ${cut} bytes`);
        return;
      }
      case "turn Redis back":
        chronicle.count("Redis faults");
        chronicle.count("Redis losses");
        redis.keepCopy();
        await sleep(deed.byMs);
        await redis.kill();
        redis.putCopyBack();
        await redis.startAgain();
        break;
      case "promote a replica":
        chronicle.count("Redis faults");
        chronicle.count("Redis losses");
        await redis.startReplica();
        await redis.cutReplication();
        await sleep(deed.byMs);
        await redis.promote();
        servers.redirectToMaster();
        break;
      case "wipe Redis":
        await this.#wipe();
        break;
      case "rebuild what is astray":
        await this.mend();
        break;
    }
    chronicle.tell(`${deed.kind}: over`);
  }

  /** Everything is lost: all must refuse to go on, and rebuild when told to. */
  async #wipe(): Promise<void> {
    const { fleet, servers, chronicle } = this.#targets;
    const refusals = (): number => chronicle.counts.get("refusals") ?? 0;
    chronicle.count("Redis faults");
    chronicle.count("total losses");
    const before = refusals();
    fleet.mayRefuse = true;
    await servers.redis.kill();
    servers.redis.wipe();
    await servers.redis.startAgain();
    await until("a refusal after a total loss", REFUSAL_LIMIT_MS, () => Promise.resolve(refusals() > before));
    await this.#rebuild();
  }

  /** What an operator does when a process has refused because a state is astray; nothing when none has. */
  async mend(): Promise<void> {
    if (!this.#targets.fleet.isAstray) return;
    await this.#rebuild();
    this.#targets.fleet.isAstray = false;
  }

  /** Lets the processes rebuild what is lost, and then stops them from doing so again. */
  async #rebuild(): Promise<void> {
    const { fleet, servers, chronicle } = this.#targets;
    fleet.mayRefuse = true;
    await fleet.onStateLoss("rebuild");
    await until("all shards to be rebuilt", REBUILD_LIMIT_MS, async () => {
      fleet.heal();
      return await this.#hasAllMarks();
    });
    // Else the next loss may take a shard's whole rebuild, and be another total one.
    await servers.redis.flush();
    await fleet.onStateLoss("stop");
    fleet.mayRefuse = false;
    chronicle.tell("all shards have a state again");
  }

  async #hasAllMarks(): Promise<boolean> {
    const { servers, applicationId, partitions } = this.#targets;
    return servers.redis.ask(async (redis) => {
      for (let shard = 0; shard < partitions; shard++) {
        if ((await redis.hexists(shardKeys(applicationId, shard).marks, "marks")) === 0) return false;
      }
      return true;
    });
  }

  async #later(afterMs: number, undo: () => void): Promise<void> {
    await sleep(afterMs);
    undo();
  }

  #ways(place: number): Ways {
    const ways = this.#targets.servers.ways[place];
    if (ways === undefined) throw new Error(`there is no way to place ${place}`);
    return ways;
  }
}
