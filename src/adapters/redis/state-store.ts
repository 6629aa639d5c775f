import type { Logger } from "../../pipeline/options.ts";
import type {
  Held,
  StateCommit,
  StateCommitResult,
  StateStore,
  StoredCustomer,
} from "../../pipeline/ports.ts";
import { instant, type Instant } from "../../shared/instant.ts";
import { commitArguments } from "./commit-arguments.ts";
import { RedisConnection } from "./connection.ts";
import { CustomerPass } from "./customer-pass.ts";
import { CustomerReader, type PagesOf } from "./customer-reader.ts";
import type { RedisEndpoint } from "./endpoint.ts";
import { shardKeys, type ShardKeys } from "./keys.ts";
import { SameServer } from "./same-server.ts";
import { ReplicaWait, type WaitOptions } from "./replica-wait.ts";
import {
  asAcquired,
  asArray,
  asBuffers,
  asCommitResult,
  asMarks,
  asPosition,
  asRead,
  asText,
} from "./replies.ts";
import { SCRIPTS } from "./script.ts";
import { checkServer, refuseEviction } from "./server-check.ts";

/** Buckets that one step of a walk over all customers looks at: under a millisecond of the server's time. */
const SCAN_COUNT = 1000;

export interface RedisStateStoreOptions extends RedisEndpoint {
  /** Names the keys: letters, digits, dots, underscores, hyphens. */
  readonly applicationId: string;
  /** Which pages a head says there are (StateCodec.pages): the store does not know the format. */
  readonly pages: PagesOf;
  readonly logger: Logger;
  /** A commit resolves only when so many replicas have it too, or the time is over. Default: it does not wait. */
  readonly wait?: WaitOptions;
}

export interface RedisStateStore extends StateStore {
  /**
   * To be called once before the first shard is acquired: refuses a server on which states could be lost one by one (A7).
   * @throws RefusedError, or RetriableError when the server can't be reached
   */
  check(): Promise<void>;
}

/**
 * States, deadlines and marks in Redis (A7): per shard four keys under one hash tag; commits are one script each. Every
 * method may throw RetriableError (no answer: it may have been done or not) or RefusedError.
 */
export function createRedisStateStore(options: RedisStateStoreOptions): RedisStateStore {
  return new Store(options);
}

class Store implements RedisStateStore {
  readonly #redis: RedisConnection;
  /** Commits alone: what waits for replicas must not hold up reads. The same connection when nothing waits. */
  readonly #commits: RedisConnection;
  readonly #replicas: ReplicaWait | null;
  readonly #server: SameServer;
  readonly #reader: CustomerReader;
  readonly #applicationId: string;
  readonly #isCluster: boolean;
  readonly #keys = new Map<number, ShardKeys>();
  readonly #passes = new Map<number, CustomerPass>();

  constructor(options: RedisStateStoreOptions) {
    this.#applicationId = options.applicationId;
    this.#isCluster = options.cluster === true;
    this.#keysOf(0);
    this.#redis = new RedisConnection(options, options.logger);
    this.#commits = options.wait === undefined ? this.#redis : new RedisConnection(options, options.logger);
    this.#replicas =
      options.wait === undefined ? null : new ReplicaWait(this.#commits, options.wait, options.logger);
    this.#server = new SameServer(this.#redis);
    this.#reader = new CustomerReader(this.#redis, options.pages);
  }

  async check(): Promise<void> {
    for (const { server, text } of await this.#redis.info()) checkServer(server, text, this.#isCluster);
    for (const { server, text } of await this.#redis.infoOfReplicas()) refuseEviction(server, text);
  }

  async acquire(shard: number): ReturnType<StateStore["acquire"]> {
    this.#passes.delete(shard);
    const doing = `acquiring shard ${shard}`;
    const reply = await this.#redis.script(doing, SCRIPTS.acquire, this.#allKeys(shard), []);
    // Whoever serves the shard now need not be who did at the start: a replica took over, or its slot was moved.
    const memory = await this.#redis.script(doing, SCRIPTS.memory, [this.#keysOf(shard).marks], []);
    refuseEviction(`the server of shard ${shard}`, asText(memory, "INFO"));
    return asAcquired(reply);
  }

  async peek(shard: number): ReturnType<StateStore["peek"]> {
    const { marks } = this.#keysOf(shard);
    const reply = await this.#redis.command("looking at the marks", "HMGET", marks, "epoch", "marks");
    return asMarks(reply);
  }

  async position(shard: number): ReturnType<StateStore["position"]> {
    const reply = await this.#server.position(this.#keysOf(shard).marks, () =>
      this.#redis.script("looking where the state stands", SCRIPTS.position, this.#allKeys(shard), []),
    );
    return asPosition(reply);
  }

  async read(shard: number, customerIds: readonly string[], held?: Held): Promise<(StoredCustomer | null)[]> {
    const keys = this.#keysOf(shard);
    return this.#server.read(keys.marks, () => this.#reader.read({ shard, keys, held }, customerIds));
  }

  async commit(shard: number, commit: StateCommit): Promise<StateCommitResult> {
    const keys = this.#keysOf(shard);
    const deleted = commit.writes.filter(({ head }) => head === null).map(({ customerId }) => customerId);
    // Which pages go with a deleted customer only its head tells. If somebody else wrote since, the script refuses.
    const dropped =
      deleted.length === 0 ? [] : await this.#reader.pagesOf({ shard, keys, held: undefined }, deleted);
    const args = commitArguments(commit, dropped);
    const reply = await this.#commits.script(
      `committing seq ${commit.marks.seq} of shard ${shard}`,
      SCRIPTS.commit,
      this.#allKeys(shard),
      args,
    );
    this.#endPassIfChanged(shard, commit);
    const result = asCommitResult(shard, reply);
    if (result.kind === "applied") await this.#replicas?.wait(keys.marks);
    return result;
  }

  async clear(shard: number, epoch: number): Promise<StateCommitResult> {
    this.#passes.delete(shard);
    const keys = this.#allKeys(shard);
    return asCommitResult(
      shard,
      await this.#redis.script(`clearing shard ${shard}`, SCRIPTS.clear, keys, [epoch]),
    );
  }

  async due(
    shard: number,
    upTo: Instant,
    limit: number,
    held?: Held,
  ): Promise<{ readonly customerId: string; readonly at: Instant }[]> {
    const { marks, deadlines } = this.#keysOf(shard);
    const reply = await this.#server.read(marks, () =>
      this.#redis.script("looking for deadlines", SCRIPTS.due, [marks, deadlines], [upTo, limit]),
    );
    const found = asBuffers(asRead(reply, shard, held, "deadlines")[0], "deadlines");
    const due: { customerId: string; at: Instant }[] = [];
    for (let i = 0; i + 1 < found.length; i += 2) {
      due.push({ customerId: asText(found[i], "deadlines"), at: asInstant(found[i + 1]) });
    }
    return due;
  }

  async nextDue(shard: number): Promise<Instant | null> {
    const { deadlines } = this.#keysOf(shard);
    const reply = await this.#redis.command("looking for deadlines", "ZRANGE", deadlines, 0, 0, "WITHSCORES");
    const [, score] = asArray(reply, "deadlines");
    return score === undefined ? null : asInstant(score);
  }

  /**
   * The first page of a walk scans all ids of the shard in steps (a million: 1 to 2 s, spread over a thousand scripts) and
   * keeps them sorted in memory until the last page, or until a commit of this process adds or deletes a customer.
   */
  async customers(shard: number, after: string, limit: number, held?: Held): Promise<string[]> {
    if (limit <= 0) return [];
    let pass = this.#passes.get(shard);
    if (pass?.continues(after) !== true) {
      pass = new CustomerPass(await this.#scan(shard, held));
      this.#passes.set(shard, pass);
    }
    const page = pass.page(after, limit);
    if (page.length < limit) this.#passes.delete(shard);
    return page;
  }

  async close(): Promise<void> {
    this.#passes.clear();
    await Promise.all([this.#redis.close(), this.#commits.close()]);
  }

  async #scan(shard: number, held: Held | undefined): Promise<Set<string>> {
    const { marks } = this.#keysOf(shard);
    return this.#server.read(marks, () => this.#scanFrom(shard, held));
  }

  async #scanFrom(shard: number, held: Held | undefined): Promise<Set<string>> {
    const { marks, states } = this.#keysOf(shard);
    const ids = new Set<string>();
    let cursor = "0";
    do {
      const reply = await this.#redis.script(
        "listing customers",
        SCRIPTS.customers,
        [marks, states],
        [cursor, SCAN_COUNT],
      );
      const [next, found] = asRead(reply, shard, held, "a list of customers");
      for (const id of asArray(found, "a list of customers")) ids.add(asText(id, "a list of customers"));
      cursor = asText(next, "a list of customers");
    } while (cursor !== "0");
    return ids;
  }

  #endPassIfChanged(shard: number, commit: StateCommit): void {
    const pass = this.#passes.get(shard);
    if (pass === undefined) return;
    const isSame = commit.writes.every(({ customerId, head }) => pass.holds(customerId) === (head !== null));
    if (!isSame) this.#passes.delete(shard);
  }

  /** As the scripts take them. */
  #allKeys(shard: number): string[] {
    const { marks, states, chunks, deadlines } = this.#keysOf(shard);
    return [marks, states, chunks, deadlines];
  }

  #keysOf(shard: number): ShardKeys {
    let keys = this.#keys.get(shard);
    if (keys === undefined) {
      keys = shardKeys(this.#applicationId, shard);
      this.#keys.set(shard, keys);
    }
    return keys;
  }
}

/** A score as Redis prints it: a whole number of milliseconds is exact in a double. */
function asInstant(score: unknown): Instant {
  return instant(Number(asText(score, "deadlines")));
}
