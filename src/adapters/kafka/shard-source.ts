import { setTimeout as sleep } from "node:timers/promises";
import type { Admin, Consumer, EachBatchPayload, Kafka } from "kafkajs";
import { FACT_TOPICS, type FactTopic } from "../../domain/events.ts";
import type { ShardSource } from "../../pipeline/ports.ts";
import type { LogIdentity } from "../../pipeline/log-identity.ts";
import { RefusedError } from "../../pipeline/errors.ts";
import type { Delivery } from "./commit-strategy.ts";
import { commitStrategies, otherDelivery, type CommitStrategies } from "./commit-strategies.ts";
import { isInconsistentProtocol, kafkaFailure, within } from "./failures.ts";
import { checkGroup } from "./group-check.ts";
import { groupConsumer } from "./group-consumer.ts";
import { patchFetchPace } from "./fetch-pace-patch.ts";
import { GroupOffsets } from "./group-offsets.ts";
import { checkKeys } from "./key-check.ts";
import { READ_COMMITTED } from "./inner-cluster.ts";
import { KeyWatch } from "./key-watch.ts";
import { LogEnds } from "./log-ends.ts";
import { identityOf, LogWatch } from "./log-watch.ts";
import { patchOutOfRange } from "./out-of-range-patch.ts";
import { patchPassedOffsets } from "./passed-offsets-patch.ts";
import { patchRejoin } from "./rejoin-patch.ts";
import { Ongoing } from "./ongoing.ts";
import { OwnCluster } from "./own-cluster.ts";
import type { CommittedOffset } from "./receipts.ts";
import { KafkaShardLog, type OutputEncoder } from "./shard-log.ts";
import { Steering } from "./steering.ts";
import { createStickyAssigner } from "./sticky-assigner.ts";
import { TailReader } from "./tail-reader.ts";
import { TailWatch } from "./tail-watch.ts";
import { TopicFactsReader } from "./topic-facts.ts";
import { checkOutbox, checkRecordSizes, checkTopics } from "./topics.ts";

export interface ShardSourceOptions {
  /** Group id, and prefix of the transactional ids. */
  readonly applicationId: string;
  /** All members of a group must have the same. */
  readonly delivery: Delivery;
  readonly prefix: string;
  /** Version and hash of the policy, told to the other members. */
  readonly policy?: string;
  readonly encoder: OutputEncoder;
  readonly logger: {
    debug(fields: object, message: string): void;
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
  };
  /** A transaction left open by a dead process blocks readers of committed data at most this long (A10). */
  readonly transactionTimeoutMs: number;
  readonly maxBufferedRecords: number;
  readonly sessionTimeoutMs: number;
}

export const DEFAULT_SOURCE = {
  delivery: "exactly-once" as Delivery,
  transactionTimeoutMs: 15_000,
  maxBufferedRecords: 2_000,
  sessionTimeoutMs: 10_000,
};

/** A stop waits so long for what kafkajs does with the group, such as a join that is under way. */
const LEAVE_MS = 3_000;

/** What comes in meanwhile is fetched together while it is little: a fifth of the interval of commits, which it waits for anyway. */
const FETCH_EVERY_MS = 20;
/** How often the topics are asked where they end: two requests to each broker. Deadlines are applied while that is known of the last second. */
const ENDS_INTERVAL_MS = 500;
/** How often the topics are asked whether they are still the same. */
const TOPICS_INTERVAL_MS = 2_000;
const OUT_OF_RANGE_RETRY_MS = 1_000;

type Handler = Parameters<ShardSource["start"]>[0];

/** Reads the fact topics as a member of a consumer group, one KafkaShardLog for each shard it is given. */
export class KafkaShardSource implements ShardSource {
  readonly #kafka: Kafka;
  readonly #options: ShardSourceOptions;
  readonly #logs = new Map<number, KafkaShardLog>();
  readonly #releasing = new Map<number, Promise<void>>();
  readonly #topics: ReadonlyMap<string, FactTopic>;
  readonly #admin: Admin;
  readonly #consumer: Consumer;
  readonly #steering: Steering;
  readonly #ends: LogEnds;
  readonly #tails: TailWatch;
  readonly #commits: CommitStrategies;
  readonly #warned = new Set<FactTopic>();
  /** A join that kafkajs makes from scratch. */
  readonly #join = new Ongoing();
  readonly #offsets: GroupOffsets;
  readonly #facts: TopicFactsReader;
  readonly #watch: LogWatch;
  #identity: LogIdentity | null = null;
  #keys: KeyWatch | null = null;
  #failed: (error: Error) => void = () => undefined;
  #isStopping = false;

  constructor(kafka: Kafka, options: ShardSourceOptions) {
    this.#kafka = kafka;
    this.#options = options;
    patchOutOfRange();
    patchPassedOffsets();
    patchRejoin();
    patchFetchPace();
    this.#facts = new TopicFactsReader(kafka, options.prefix);
    this.#watch = new LogWatch(
      () => this.#facts.read(),
      TOPICS_INTERVAL_MS,
      (error) => this.#failed(error),
    );
    this.#topics = new Map(FACT_TOPICS.map((topic) => [options.prefix + topic, topic]));
    this.#admin = kafka.admin();
    const asked = new OwnCluster(kafka, READ_COMMITTED);
    this.#ends = new LogEnds(asked, options.prefix, ENDS_INTERVAL_MS, () => this.#onEnds());
    this.#tails = new TailWatch(new TailReader(kafka), options.prefix);
    this.#consumer = groupConsumer(kafka, {
      groupId: options.applicationId,
      sessionTimeoutMs: options.sessionTimeoutMs,
      assigner: createStickyAssigner({
        held: () => [...this.#logs.keys()],
        delivery: options.delivery,
        ...(options.policy === undefined ? {} : { policy: options.policy }),
        staysInGroup: () => !this.#isStopping,
        fetchEveryMs: FETCH_EVERY_MS,
        onMixedPolicies: (policies) => this.#warnOfPolicies(policies),
        onOffsetOutOfRange: (topic, partition) => void this.#verifyPositions(topic, partition),
        onPassed: (topic, partition, from, next) => this.#onPassed(topic, partition, from, next),
      }),
      isWanted: () => !this.#isStopping,
    });
    this.#steering = new Steering(this.#consumer, options.prefix, options.logger);
    this.#commits = commitStrategies(options.delivery, {
      kafka,
      consumer: this.#consumer,
      groupId: options.applicationId,
      prefix: options.prefix,
      transactionTimeoutMs: options.transactionTimeoutMs,
      logger: options.logger,
      steer: (steer) => this.#steering.steer(steer),
      committed: (shard) => this.#committed(shard),
      committedOf: async (topic, shard) =>
        (await this.#offsets.of(shard)).find((each) => each.topic === topic) ?? null,
      start: (topic, shard) => this.#ends.lowOf(topic, shard),
    });
    this.#offsets = new GroupOffsets(this.#admin, options.applicationId, [
      ...this.#topics.keys(),
      ...this.#commits.topics,
    ]);
  }

  async start(handler: Handler): Promise<void> {
    try {
      const { prefix, applicationId, logger } = this.#options;
      this.#failed = (error) => handler.failed(error);
      await this.#admin.connect();
      const shards = await checkTopics(this.#admin, prefix);
      const { topics: outboxes } = this.#commits;
      for (const outbox of outboxes) await checkOutbox(this.#admin, outbox, shards);
      await checkRecordSizes(this.#admin, prefix, outboxes);
      const identity = identityOf(await this.#facts.read(), prefix, shards);
      await checkGroup(this.#admin, applicationId, identity);
      const warned = await checkKeys(this.#kafka, this.#admin, { prefix, logger, shards });
      this.#identity = identity;
      this.#keys = new KeyWatch({ prefix, logger, shards, warned });
      this.#watch.start(identity);
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics: [...this.#topics.keys(), ...outboxes], fromBeginning: true });
      this.#listen(handler);
      this.#ends.start();
      this.#join.begin();
      await this.#consumer.run({
        autoCommit: false,
        partitionsConsumedConcurrently: 8,
        eachBatch: (payload) => this.#onBatch(payload),
      });
    } catch (error) {
      // What stays connected would keep a process alive that has nothing more to do.
      await this.stop();
      throw kafkaFailure("starting to read", error);
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#ends.stop();
    this.#watch.stop();
    await Promise.all(this.#releasing.values());
    // kafkajs does not leave while it joins for the first time, or anew after a crash: the member would be missed only later.
    const leaving = this.#join.ended().then(() => this.#consumer.disconnect());
    // One that was never connected, or has failed, may fail to say goodbye; the other must hear it all the same.
    const [left] = await Promise.allSettled([
      within(LEAVE_MS, "leaving the group", leaving),
      within(LEAVE_MS, "leaving", this.#admin.disconnect()),
      this.#ends.close(),
      this.#facts.close(),
      this.#tails.close(),
    ]);
    if (left.status === "rejected")
      this.#options.logger.warn(
        { error: kafkaFailure("leaving the group", left.reason).message },
        "the group was not left in order: its shards are shared out when the session is over",
      );
  }

  #listen(handler: Handler): void {
    const { GROUP_JOIN, CRASH } = this.#consumer.events;
    this.#consumer.on(GROUP_JOIN, ({ payload }) => {
      this.#join.end();
      const { memberId: member, duration: joinMs } = payload;
      const shards = [...new Set(Object.values(payload.memberAssignment).flat())].sort((a, b) => a - b);
      this.#options.logger.info({ member, shards, joinMs }, "shards assigned");
      this.#onJoin(handler, shards);
    });
    this.#consumer.on(CRASH, ({ payload }) => {
      if (payload.restart) this.#join.begin();
      else this.#join.end();
      if (payload.restart || this.#isStopping) return;
      const { error } = payload;
      if (isInconsistentProtocol(error))
        handler.failed(otherDelivery(this.#options.applicationId, this.#options.delivery, error));
      else handler.failed(kafkaFailure("the consumer gave up", error));
    });
  }

  /** Before the first fetch of a new generation: hold what is new, let go what is lost, read on with what stays. */
  #onJoin(handler: Handler, shards: readonly number[]): void {
    const identity = this.#identity;
    if (identity === null) return;
    // Partitions that were added: nobody reads them, and the watch says why.
    const assigned = new Set(shards.filter((shard) => shard < identity.shards));
    for (const shard of this.#logs.keys()) if (!assigned.has(shard)) this.#release(handler, shard);
    this.#commits.restart(assigned);
    for (const shard of assigned) {
      const held = this.#logs.get(shard);
      if (held !== undefined) {
        held.restart();
        continue;
      }
      for (const topic of this.#topics.keys()) this.#consumer.pause([{ topic, partitions: [shard] }]);
      const log = this.#open(shard, identity);
      this.#logs.set(shard, log);
      // A shard that comes back while it is still being let go is opened after that, unless it has gone again by then.
      void (this.#releasing.get(shard) ?? Promise.resolve()).then(() => {
        if (this.#logs.get(shard) === log) handler.assigned(shard, log);
      });
    }
  }

  #release(handler: Handler, shard: number): void {
    this.#logs.delete(shard);
    const released = handler
      .revoked(shard)
      .catch((error: unknown) => handler.failed(error instanceof Error ? error : new Error(String(error))))
      .finally(() => {
        if (this.#releasing.get(shard) === released) this.#releasing.delete(shard);
      });
    this.#releasing.set(shard, released);
  }

  #open(shard: number, identity: LogIdentity): KafkaShardLog {
    const { encoder, maxBufferedRecords } = this.#options;
    return new KafkaShardLog(shard, this.#steering.consumer, this.#commits.of(shard), this.#ends, encoder, {
      identity,
      maxBufferedRecords,
    });
  }

  async #committed(shard: number): Promise<CommittedOffset[]> {
    return (await this.#offsets.of(shard)).flatMap(({ topic, ...rest }) => {
      const name = this.#topics.get(topic);
      return name === undefined ? [] : [{ topic: name, ...rest }];
    });
  }

  async #onBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const topic = this.#topics.get(batch.topic);
    const log = this.#logs.get(batch.partition);
    const isCurrent = payload.isRunning() && !payload.isStale();
    if (isCurrent) this.#commits.deliver(batch.topic, batch.partition, batch.messages);
    if (isCurrent && topic !== undefined && log !== undefined) {
      // Not in kafkajs's types: 1 says that the broker stamped the record when it appended it.
      const first = batch.messages[0] as { batchContext?: { timestampType?: number } } | undefined;
      const isAppendTime = first?.batchContext?.timestampType === 1;
      if (topic !== "referrals") {
        if (!isAppendTime) this.#warnOnce(topic);
        const refused = this.#keys?.look(topic, batch.partition, batch.messages) ?? null;
        if (refused !== null) {
          this.#failed(refused);
          return;
        }
      }
      // Nor is this: where the fetch began, which may be before the first record that there is.
      const { fetchedOffset } = batch as { fetchedOffset?: string };
      const from = Number(fetchedOffset ?? batch.firstOffset());
      const next = Number(batch.lastOffset()) + 1;
      log.deliver(topic, { from, next, messages: batch.messages, isAppendTime });
    }
    await payload.heartbeat();
  }

  #onPassed(topic: string, shard: number, from: number, next: number): void {
    const name = this.#topics.get(topic);
    if (name !== undefined) this.#logs.get(shard)?.pass(name, from, next);
  }

  /** A broker says that it does not hold what a shard must read next: nobody reads on before that is clear. */
  async #verifyPositions(topic: string, shard: number): Promise<void> {
    this.#options.logger.warn(
      { topic, shard },
      "the next offset is not in the log, asking where it begins and ends",
    );
    const log = this.#logs.get(shard);
    while (log !== undefined && this.#logs.get(shard) === log && !this.#isStopping) {
      try {
        await log.verifyPositions();
        return;
      } catch (error) {
        if (error instanceof RefusedError) {
          this.#failed(error);
          return;
        }
        await sleep(OUT_OF_RANGE_RETRY_MS);
      }
    }
  }

  #warnOfPolicies(policies: readonly string[]): void {
    this.#options.logger.warn(
      { policies },
      "members of the group run under different policies: each shard that moves between them is folded anew. Normal while a new policy is rolled out; otherwise two deployments share this application id",
    );
  }

  #warnOnce(topic: FactTopic): void {
    if (this.#warned.has(topic)) return;
    this.#warned.add(topic);
    this.#options.logger.warn(
      { topic },
      "the topic keeps the producers' timestamps (CreateTime): events from the future are told by this processor's clock, so that a replay may decide otherwise",
    );
  }

  #onEnds(): void {
    for (const log of this.#logs.values()) log.wake();
    void this.#tails.look(this.#logs.values());
  }
}
