import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OUTPUT_TOPICS } from "../../src/adapters/kafka/topics.ts";
import { kafkaClient } from "../../src/app/compose-kafka.ts";
import { FACT_TOPICS } from "../../src/domain/events.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import { shardKeys } from "../../src/adapters/redis/keys.ts";
import { run } from "../child.ts";
import { LOGGER, logOf, until } from "./application.ts";
import { metric, openScene, refusalOf, SHARDS, stop, type LossScene } from "./loss-scene.ts";

/** Topics that are not what they were, and applications that meet under one id: refused by name, and nothing is touched (A3, A4). */

const REBUILD = { CLIENTELA_ON_STATE_LOSS: "rebuild" };

let scene: LossScene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(async () => {
  await scene.close();
});

const topicOf = (name: string): string => scene.application.prefix + name;

/** Deletes all records of a topic. */
async function trim(name: string): Promise<void> {
  const partitions = Array.from({ length: SHARDS }, (_, partition) => ({ partition, offset: "-1" }));
  // kafkajs knows the leaders only of topics it was asked about before.
  await scene.admin.fetchTopicOffsets(topicOf(name));
  await scene.admin.deleteTopicRecords({ topic: topicOf(name), partitions });
}

/** What the group has committed, receipts included. */
async function committed(): Promise<unknown> {
  return scene.admin.fetchOffsets({
    groupId: scene.application.servers.applicationId,
    topics: FACT_TOPICS.map(topicOf),
  });
}

async function remake(name: string): Promise<void> {
  const topic = topicOf(name);
  await scene.admin.deleteTopics({ topics: [topic] });
  await until("deletion", 20_000, async () => !(await scene.admin.listTopics()).includes(topic));
  await scene.admin.createTopics({ topics: [{ topic, numPartitions: SHARDS, replicationFactor: 1 }] });
}

async function grow(names: readonly string[]): Promise<void> {
  await scene.admin.createPartitions({
    topicPartitions: names.map((name) => ({ topic: topicOf(name), count: SHARDS + 2 })),
  });
}

async function epochs(): Promise<(string | null)[]> {
  const { applicationId } = scene.application.servers;
  const shards = Array.from({ length: SHARDS }, (_, shard) => shardKeys(applicationId, shard).marks);
  return Promise.all(shards.map((marks) => scene.redis.client.hget(marks, "epoch")));
}

/** One transaction with a record for each shard that nobody can read. Resolves when its markers are there: the coordinator answers before. */
async function transact(name: string, end: "commit" | "abort"): Promise<void> {
  const before = await endsOf(name);
  const transactionalId = `e2e-${randomUUID()}`;
  const client = kafkaClient(scene.application.servers, LOGGER);
  const producer = client.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  const messages = Array.from({ length: SHARDS }, (_, partition) => ({ partition, key: null, value: "x" }));
  await transaction.send({ topic: topicOf(name), messages });
  await transaction[end]();
  await producer.disconnect();
  const isThere = (offset: number, partition: number): boolean => offset === (before[partition] ?? NaN) + 2;
  await until("markers", 20_000, async () => (await endsOf(name)).every(isThere));
}

/** Where the partitions of a topic end for a read_committed reader, in their order. */
async function endsOf(name: string): Promise<number[]> {
  const ends = await scene.admin.fetchTopicOffsets(topicOf(name));
  return ends.sort((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
}

/** Lag as tools see it: how far the group's offsets are from the end of a topic. */
async function lagOf(name: string): Promise<number> {
  const ends = await endsOf(name);
  const groupId = scene.application.servers.applicationId;
  const [found] = await scene.admin.fetchOffsets({ groupId, topics: [topicOf(name)] });
  return ends
    .map((high, partition) => {
      const held = found?.partitions.find((each) => each.partition === partition);
      return high - Math.max(0, Number(held?.offset ?? 0));
    })
    .reduce((sum, lag) => sum + lag, 0);
}

describe("a topic whose transactions' markers are all that came after what was folded", () => {
  test("may be deleted by retention to the last marker: nothing is lost, nothing is refused (A4)", async () => {
    const { child } = await started();
    await transact("orders", "commit");
    await transact("surveys", "abort");
    await until("lag 0", 20_000, async () => (await lagOf("orders")) + (await lagOf("surveys")) === 0, child);
    await stop(child);
    await trim("orders");
    await trim("surveys");
    await stop((await scene.start()).child);
  });

  test("also while it runs and its shards change hands", async () => {
    const { child } = await started();
    await transact("inquiries", "abort");
    await until("lag 0", 20_000, async () => (await lagOf("inquiries")) === 0, child);
    await trim("inquiries");
    // The group shares out anew: every shard is read on from where it stands.
    const other = await scene.start();
    await scene.phase();
    await stop(other.child);
    await stop(child);
    await scene.expectComplete();
  });
});

describe("records are gone that are still needed", () => {
  test("at the start: refused with the offset and what the log holds; the receipts stay", async () => {
    await stop((await started()).child);
    await scene.phase({ wait: false });
    await trim("orders");
    const before = await committed();
    expect(await scene.refused()).toMatch(
      /orders-\d must be read from offset \d+, but holds \d+ to \d+: records were deleted.*fresh CLIENTELA_APPLICATION_ID.*\[OFFSET_OUT_OF_RANGE\]\n$/,
    );
    expect(await committed()).toEqual(before);
  });

  test("while it runs and is behind: refused, nothing is skipped, the receipts stay", async () => {
    const { child } = await started();
    child.process.kill("SIGSTOP");
    // The fetch that was under way has ended with nothing.
    await sleep(500);
    const before = await committed();
    await scene.phase({ wait: false });
    const published = scene.seen.length;
    await trim("orders");
    child.process.kill("SIGCONT");
    expect(await refusalOf(child)).toMatch(
      /orders-\d must be read from offset \d+.*\[OFFSET_OUT_OF_RANGE\]$/,
    );
    expect(await committed()).toEqual(before);
    expect(scene.seen).toHaveLength(published);
    await scene.expectPrefixes();
  });

  test("what has been folded may go, but a rebuild needs it: refused, and what Redis still holds is left", async () => {
    await stop((await started()).child);
    await trim("orders");
    await stop((await scene.start()).child);
    const { marks } = shardKeys(scene.application.servers.applicationId, 0);
    await scene.redis.client.del(marks);
    const before = await scene.content();
    expect(await scene.refused(REBUILD)).toMatch(
      /shard 0: the state must be rebuilt from offset 0 .* orders-0 starts at offset \d+.*\[LOG_TRIMMED\]\n$/,
    );
    expect(await scene.content()).toEqual(before);
  });

  test("an application that began on what was left can be rebuilt from there", async () => {
    const { admin, application } = scene;
    const producer = kafkaClient(application.servers, LOGGER).producer();
    await producer.connect();
    const messages = Array.from({ length: SHARDS }, (_, partition) => ({
      partition,
      key: null,
      value: "old",
    }));
    await producer.send({ topic: topicOf("orders"), messages });
    await producer.disconnect();
    await trim("orders");
    const { child } = await started();
    const before = await scene.content();
    await stop(child);
    await scene.redis.client.flushall();
    const again = await scene.start(REBUILD);
    expect(await metric(again.http, "clientela_acquire_duration_seconds_count", 'path="rebuild"')).toBe(
      SHARDS,
    );
    expect(await scene.content()).toEqual(before);
    await scene.phase();
    await stop(again.child);
    expect(await admin.fetchTopicOffsets(topicOf("segment-dead-letters"))).toMatchObject(
      Array.from({ length: SHARDS }, () => ({ high: "0" })),
    );
  });
});

test("offsets that a tool has set: refused, by what the receipt says where there still is one", async () => {
  await stop((await started()).child);
  const { applicationId: groupId } = scene.application.servers;
  const set = async (name: string, offset: string): Promise<void> =>
    scene.admin.setOffsets({ groupId, topic: topicOf(name), partitions: [{ partition: 1, offset }] });
  await set("surveys", "7");
  expect(await scene.refused()).toMatch(
    /shard 1 in group \S+ has offsets .* \(surveys stands at 7, the receipt says 0\).*\[OFFSETS_CHANGED\]\n$/,
  );
  await set("surveys", "0");
  await stop((await scene.start()).child);
  await set("orders", "0");
  expect(await scene.refused()).toMatch(
    /shard 1 in group \S+ has offsets without a receipt.*\[RECEIPT_MISSING\]\n$/,
  );
});

describe("topics were deleted and made anew", () => {
  test("while nothing ran, and hold more than before: refused by their ids", async () => {
    await stop((await started()).child);
    await remake("orders");
    await scene.phase({ wait: false });
    await scene.phase({ wait: false });
    const before = [await committed(), await epochs()];
    expect(await scene.refused()).toMatch(
      /other topics of the same name: \S+orders \(its topic id was \S{22}, now \S{22}\).*\[TOPICS_REPLACED\]\n$/,
    );
    expect([await committed(), await epochs()]).toEqual(before);
  });

  test("while it runs: exit code 3", async () => {
    const { child } = await started();
    await remake("surveys");
    expect(await refusalOf(child)).toMatch(/\S+surveys \(its topic id was.*\[TOPICS_REPLACED\]$/);
  });
});

describe("partitions were added", () => {
  test("to all topics, while nothing ran: refused before anything is touched (A3)", async () => {
    await stop((await started()).child);
    await grow([...FACT_TOPICS, ...OUTPUT_TOPICS]);
    const before = [await committed(), await epochs()];
    expect(await scene.refused()).toMatch(
      /made with 4 partitions, now the inputs have 6.*CLIENTELA_TOPIC_PREFIX.*CLIENTELA_APPLICATION_ID.*\[PARTITIONS_CHANGED\]\n$/,
    );
    expect(await scene.admin.fetchTopicOffsets(topicOf("segment-changes"))).toHaveLength(SHARDS + 2);
    expect((await epochs()).join()).toEqual((before[1] as string[]).join());
  });

  test("to one topic, while it runs: exit code 3, with each topic that changed", async () => {
    const { child } = await started();
    await grow(["inquiries"]);
    expect(await refusalOf(child)).toMatch(
      /the inputs had 4 partitions each, now \S+inquiries has 6: .*\[PARTITIONS_CHANGED\]$/,
    );
    expect(await scene.refused()).toMatch(/\[PARTITIONS_DIFFER\]\n$/);
  });
});

test("a producer with another partitioner begins while it runs: exit code 3, with what it takes to find it", async () => {
  const { child } = await started();
  const producer = kafkaClient(scene.application.servers, LOGGER).producer();
  await producer.connect();
  const messages = Array.from({ length: 200 }, (_, i) => {
    const key = Buffer.from(`customer-${i}`);
    return { key, value: "x", partition: (partitionOf(key, SHARDS) + 1) % SHARDS };
  });
  await producer.send({ topic: topicOf("inquiries"), messages });
  await producer.disconnect();
  const line = await refusalOf(child);
  expect(line).toMatch(
    /inquiries: \d+ of \d+ sampled keys .* hash [0-9a-f]{8}.*murmur2_random.*\[KEYS_MISPLACED\]$/,
  );
  expect(child.stderr()).not.toContain("customer-");
});

describe("two applications with one id", () => {
  const others = (): Record<string, string> => ({ CLIENTELA_TOPIC_PREFIX: `other-${randomUUID()}.` });

  test("on other topics, while the first one runs: the second is refused, the first does not notice", async () => {
    const { child } = await started();
    const other = others();
    expect(await run(["setup"], { ...scene.application.env, ...other })).toMatchObject({ code: 0 });
    const before = await epochs();
    expect(await scene.refused(other)).toMatch(
      /has a member .* that reads \S+, but this is .*\[APPLICATION_ID_TAKEN\]\n$/,
    );
    expect(await epochs()).toEqual(before);
    await scene.phase();
    await stop(child);
  });

  test("on other topics, while the first one rests: refused by what its states say, which stay as they are", async () => {
    await stop((await started()).child);
    const other = others();
    expect(await run(["setup"], { ...scene.application.env, ...other })).toMatchObject({ code: 0 });
    const before = [await epochs(), await scene.content()];
    expect(await scene.refused(other)).toMatch(
      /the state of shard \d belongs to the topics \S+orders and so on of Kafka cluster \S{22}, but this is the topics other-.*\[APPLICATION_ID_TAKEN\]\n$/,
    );
    expect([await epochs(), await scene.content()]).toEqual(before);
    await stop((await scene.start()).child);
  });

  test("on another cluster: refused by its id", async () => {
    await stop((await started()).child);
    const { client } = scene.redis;
    const { applicationId } = scene.application.servers;
    // As a processor on another cluster would have left it.
    for (let shard = 0; shard < SHARDS; shard++) {
      const { marks } = shardKeys(applicationId, shard);
      const held = JSON.parse((await client.hget(marks, "marks")) ?? "") as { log: { cluster: string } };
      held.log.cluster = "AAAAAAAAAAAAAAAAAAAAAA";
      await client.hset(marks, "marks", JSON.stringify(held));
    }
    expect(await scene.refused()).toMatch(
      /Kafka cluster AAAAAAAAAAAAAAAAAAAAAA, but this.*\[APPLICATION_ID_TAKEN\]\n$/,
    );
  });

  test("on the same topics, under another policy: said loudly by whoever leads the group", async () => {
    const first = await started();
    const second = await scene.start({ CLIENTELA_POLICY_FILE: "test/e2e/policy-of-another.json" });
    const said = (): unknown =>
      [first, second]
        .flatMap(({ child }) => logOf(child))
        .find(({ msg }) => String(msg).startsWith("members of the group run under different policies"));
    await until("a warning", 20_000, () => said() !== undefined, first.child);
    expect(said()).toMatchObject({
      policies: [expect.any(String), expect.stringMatching(/^of-another [0-9a-f]{12}$/)],
    });
    await stop(second.child);
    await stop(first.child);
  });
});

/** A processor that has folded the first phase. */
async function started(): Promise<{ child: Awaited<ReturnType<LossScene["start"]>>["child"]; http: string }> {
  const running = await scene.start();
  await scene.phase();
  // Offsets and receipts of what made no output follow within seconds (A4).
  await sleep(100);
  return running;
}
