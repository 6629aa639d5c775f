import type { Kafka } from "kafkajs";
import { expect, test, vi } from "vitest";
import type { OutputEncoder } from "../../../src/adapters/kafka/shard-log.ts";
import { DEFAULT_SOURCE, KafkaShardSource } from "../../../src/adapters/kafka/shard-source.ts";
import { OUTPUT_TOPICS } from "../../../src/adapters/kafka/topics.ts";
import { FACT_TOPICS } from "../../../src/domain/events.ts";

const PARTITIONS = 4;
const quiet = (): void => undefined;

/** A group of which the test says who gets what; reads and answers nothing else. */
class Group {
  /** What the consumer was told, in order. */
  readonly told: string[] = [];
  /** How it says goodbye. */
  farewell: () => Promise<void> = () => Promise.resolve();
  #join: (event: { payload: { memberAssignment: Record<string, number[]> } }) => void = quiet;
  #crash: (event: { payload: { restart: boolean; error: Error } }) => void = quiet;

  crash(restart: boolean): void {
    this.#crash({ payload: { restart, error: new Error("the broker is away") } });
  }

  assign(...shards: readonly number[]): void {
    const memberAssignment = Object.fromEntries(FACT_TOPICS.map((topic) => [topic, [...shards]]));
    this.#join({ payload: { memberAssignment } });
  }

  get kafka(): Kafka {
    const done = (): Promise<void> => Promise.resolve();
    const consumer = {
      events: { GROUP_JOIN: "join", CRASH: "crash" },
      on: (event: string, listener: never) => {
        if (event === "join") this.#join = listener;
        if (event === "crash") this.#crash = listener;
      },
      connect: done,
      subscribe: done,
      run: done,
      disconnect: () => {
        this.told.push("disconnect");
        return this.farewell();
      },
      pause: quiet,
      resume: quiet,
      seek: quiet,
    };
    const admin = {
      connect: done,
      disconnect: done,
      listTopics: () => Promise.resolve([...FACT_TOPICS, ...OUTPUT_TOPICS]),
      fetchTopicMetadata: ({ topics }: { topics: string[] }) =>
        Promise.resolve({
          topics: topics.map((name) => ({ name, partitions: Array.from({ length: PARTITIONS }) })),
        }),
      fetchTopicOffsets: () => Promise.resolve([]),
      fetchOffsets: () => Promise.resolve([]),
      describeGroups: () => Promise.resolve({ groups: [] }),
    };
    const broker = { versions: null, metadata: () => Promise.resolve({ clusterId: "c", topicMetadata: [] }) };
    const cluster = {
      connect: done,
      disconnect: done,
      addMultipleTargetTopics: done,
      findControllerBroker: () => Promise.resolve(broker),
    };
    const inner = { [Symbol("private:Kafka:createCluster")]: () => cluster };
    const outer = { consumer: () => consumer, admin: () => admin, producer: quiet };
    return { ...inner, ...outer } as unknown as Kafka;
  }
}

test("the group's assignments are told as they change; what stays is not told again", async () => {
  const group = new Group();
  const told: string[] = [];
  const source = new KafkaShardSource(group.kafka, {
    ...DEFAULT_SOURCE,
    applicationId: "app",
    prefix: "",
    encoder: {} as OutputEncoder,
    logger: { debug: quiet, info: quiet, warn: quiet },
  });
  await source.start({
    assigned: (shard) => void told.push(`+${shard}`),
    revoked: (shard) => Promise.resolve(void told.push(`-${shard}`)),
    failed: quiet,
  });
  const after = async (...shards: number[]): Promise<string[]> => {
    group.assign(...shards);
    await new Promise(setImmediate);
    return told.splice(0);
  };
  expect(await after(0, 1)).toEqual(["+0", "+1"]);
  expect(await after(1, 2)).toEqual(["-0", "+2"]);
  expect(await after(1, 2)).toEqual([]);
  expect(await after()).toEqual(["-1", "-2"]);
  await source.stop();
});

test("a shard that comes back while it drains is opened after that, and not at all if it has gone again", async () => {
  const group = new Group();
  const told: string[] = [];
  const drains: (() => void)[] = [];
  const source = new KafkaShardSource(group.kafka, {
    ...DEFAULT_SOURCE,
    applicationId: "app",
    prefix: "",
    encoder: {} as OutputEncoder,
    logger: { debug: quiet, info: quiet, warn: quiet },
  });
  await source.start({
    assigned: (shard) => void told.push(`+${shard}`),
    revoked: (shard) => {
      told.push(`-${shard}`);
      return new Promise<void>((resolve) => drains.push(resolve));
    },
    failed: quiet,
  });
  const settle = (): Promise<void> => new Promise(setImmediate);
  group.assign(0, 1);
  await settle();
  group.assign(1);
  group.assign(0, 1);
  await settle();
  expect(told.splice(0)).toEqual(["+0", "+1", "-0"]);
  group.assign(1);
  for (const drained of drains.splice(0)) drained();
  await settle();
  // It was never opened again: whoever holds it now would be fenced by us.
  expect(told.filter((each) => each === "+0")).toEqual([]);
  group.assign(0, 1);
  await settle();
  expect(told.at(-1)).toBe("+0");
  for (const drained of drains.splice(0)) drained();
  await source.stop();
});

/** A source of a group in which nothing happens but what the test does. */
async function started(group: Group, warned: string[] = []): Promise<KafkaShardSource> {
  const source = new KafkaShardSource(group.kafka, {
    ...DEFAULT_SOURCE,
    applicationId: "app",
    prefix: "",
    encoder: {} as OutputEncoder,
    logger: { debug: quiet, info: quiet, warn: (_fields, message) => warned.push(message) },
  });
  await source.start({ assigned: quiet, revoked: () => Promise.resolve(), failed: quiet });
  return source;
}

test("a stop during a join waits for it: kafkajs leaves no group that it is not in yet", async () => {
  const group = new Group();
  const source = await started(group);
  const stopped = source.stop();
  await new Promise(setImmediate);
  expect(group.told).toEqual([]);
  group.assign(0);
  await stopped;
  expect(group.told).toEqual(["disconnect"]);

  const crashed = new Group();
  const other = await started(crashed);
  crashed.assign(0);
  crashed.crash(true);
  const again = other.stop();
  await new Promise(setImmediate);
  expect(crashed.told).toEqual([]);
  crashed.assign(0);
  await again;
  expect(crashed.told).toEqual(["disconnect"]);
});

test("a group that can't be left in order is left all the same, in time, and that is said", async () => {
  vi.useFakeTimers();
  try {
    for (const spoil of [
      (group: Group): void => void (group.farewell = () => new Promise(() => undefined)),
      (group: Group): void => void (group.farewell = () => Promise.reject(new Error("connection lost"))),
      (group: Group): void => group.crash(true),
    ]) {
      const group = new Group();
      const warned: string[] = [];
      const source = await started(group, warned);
      group.assign(0);
      spoil(group);
      const stopped = source.stop();
      await vi.advanceTimersByTimeAsync(3_000);
      await stopped;
      expect(warned).toEqual([expect.stringContaining("the group was not left in order")]);
    }
  } finally {
    vi.useRealTimers();
  }
});
