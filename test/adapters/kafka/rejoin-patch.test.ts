import { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { patchRejoin } from "../../../src/adapters/kafka/rejoin-patch.ts";

const require = createRequire(import.meta.url);

interface Runner {
  start(): Promise<void>;
  stop(): Promise<void>;
}

type Make<T> = new (options: object) => T;

const quiet = (): void => undefined;
const LOGGER = { namespace: () => LOGGER, debug: quiet, info: quiet, warn: quiet, error: quiet };
const TOPIC = "orders";
const REBALANCE = Object.assign(new Error("the group is rebalancing"), { type: "REBALANCE_IN_PROGRESS" });

const STAYING = { staysInGroup: () => true };

let member: Member | null = null;

beforeAll(() => {
  patchRejoin();
});
afterEach(async () => {
  member?.join.resolve();
  await member?.runner.stop();
  member = null;
});

/** kafkajs's own consumer on a broker of the test's: what the broker was asked is told in order. */
class Member {
  readonly asked: string[] = [];
  readonly crashes: Error[] = [];
  readonly runner: Runner;
  fetches = 0;
  /** The group shares out anew: the next heartbeat says so, and the join waits for the others. */
  isRebalancing = false;
  join: PromiseWithResolvers<void> = Promise.withResolvers();
  /** What it fetches has another leader. */
  hasMoved = false;

  constructor(assigner: object) {
    const ConsumerGroup = require("kafkajs/src/consumer/consumerGroup.js") as Make<object>;
    const KafkajsRunner = require("kafkajs/src/consumer/runner.js") as Make<Runner>;
    this.join.resolve();
    const retry = { retries: 1, initialRetryTime: 1, maxRetryTime: 1 };
    const instrumentationEmitter = new EventEmitter();
    const consumerGroup = new ConsumerGroup({
      retry,
      cluster: this.#cluster(),
      groupId: "app",
      topics: [TOPIC],
      topicConfigurations: { [TOPIC]: { fromBeginning: true } },
      logger: LOGGER,
      instrumentationEmitter,
      assigners: [
        { name: "shards", protocol: () => ({ name: "shards", metadata: Buffer.alloc(0) }), ...assigner },
      ],
      maxWaitTimeInMs: 1,
      autoCommit: false,
    });
    this.runner = new KafkajsRunner({
      retry,
      logger: LOGGER,
      consumerGroup,
      instrumentationEmitter,
      heartbeatInterval: 0,
      concurrency: 1,
      autoCommit: false,
      eachBatch: () => Promise.resolve(),
      onCrash: (error: Error) => this.crashes.push(error),
    });
  }

  #cluster(): object {
    const done = (): Promise<void> => Promise.resolve();
    const memberAssignment = this.#assignment();
    const committed = {};
    const broker = {
      isConnected: () => true,
      joinGroup: async () => {
        this.asked.push("join");
        await this.join.promise;
        this.asked.push("joined");
        this.isRebalancing = false;
        return { generationId: 1, leaderId: "other", memberId: "m", members: [], groupProtocol: "shards" };
      },
      syncGroup: () => Promise.resolve({ memberAssignment }),
      heartbeat: () => {
        this.asked.push("heartbeat");
        return this.isRebalancing ? Promise.reject(REBALANCE) : Promise.resolve();
      },
      leaveGroup: () => {
        this.asked.push("leave");
        return Promise.resolve();
      },
      offsetFetch: () =>
        Promise.resolve({ responses: [{ topic: TOPIC, partitions: [{ partition: 0, offset: "5" }] }] }),
      fetch: async () => {
        this.fetches++;
        await new Promise(setImmediate);
        if (this.hasMoved) throw Object.assign(new Error("not here"), { type: "NOT_LEADER_FOR_PARTITION" });
        return { responses: [] };
      },
    };
    return {
      connect: done,
      refreshMetadata: done,
      refreshMetadataIfNecessary: done,
      committedOffsets: () => committed,
      getNodeIds: () => ["1"],
      findBroker: () => Promise.resolve(broker),
      findGroupCoordinator: () => Promise.resolve(broker),
      findTopicPartitionMetadata: () => [{ partitionId: 0, leader: "1" }],
    };
  }

  #assignment(): Buffer {
    const { MemberAssignment } = require("kafkajs/src/consumer/assignerProtocol.js") as {
      MemberAssignment: { encode(assignment: object): Buffer };
    };
    return MemberAssignment.encode({ version: 1, assignment: { [TOPIC]: [0] }, userData: Buffer.alloc(0) });
  }

  async untilFetched(times: number): Promise<void> {
    const before = this.fetches;
    await vi.waitFor(() => expect(this.fetches).toBeGreaterThanOrEqual(before + times));
  }
}

/** It runs, and has learnt that the group shares out anew: its join waits for the others. */
async function joiningMember(assigner: object): Promise<Member> {
  const joining = (member = new Member(assigner));
  await joining.runner.start();
  await vi.waitFor(() => expect(joining.fetches).toBeGreaterThan(0));
  joining.join = Promise.withResolvers();
  joining.isRebalancing = true;
  await vi.waitFor(() => expect(joining.asked.filter((each) => each === "join")).toHaveLength(2));
  joining.asked.length = 0;
  return joining;
}

/** More turns of the event loop than a fetch or a goodbye takes. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}

test("a member reads on while its join waits for the others, and is heard again after it", async () => {
  const joining = await joiningMember(STAYING);
  await joining.untilFetched(20);
  // Nor does it ask for another join, or beat: who waits in a join is not missed.
  expect(joining.asked).toEqual([]);
  joining.join.resolve();
  await vi.waitFor(() => expect(joining.asked).toContain("heartbeat"));
  await joining.untilFetched(20);
  expect(joining.asked).not.toContain("join");
  expect(joining.crashes).toEqual([]);
});

test("a member that stops amid a join leaves when it has joined", async () => {
  const joining = await joiningMember(STAYING);
  const stopped = joining.runner.stop();
  await turns();
  joining.join.resolve();
  await stopped;
  expect(joining.asked).toEqual(["joined", "leave"]);
});

test("a member that is about to leave takes no part in what makes the group share out anew meanwhile", async () => {
  const leaving = (member = new Member({ staysInGroup: () => false }));
  await leaving.runner.start();
  leaving.isRebalancing = true;
  leaving.asked.length = 0;
  await vi.waitFor(() => expect(leaving.asked).toContain("heartbeat"));
  await turns();
  await leaving.runner.stop();
  expect(leaving.asked).not.toContain("join");
  expect(leaving.asked.at(-1)).toBe("leave");
});

test("a fetch that asks for a join waits for the one under way", async () => {
  const joining = await joiningMember(STAYING);
  joining.hasMoved = true;
  await turns();
  joining.hasMoved = false;
  const before = joining.fetches;
  await turns();
  expect(joining.fetches).toBe(before);
  joining.join.resolve();
  await joining.untilFetched(1);
  expect(joining.asked.filter((each) => each.startsWith("join"))).toEqual(["joined"]);
});

test("a join that fails ends the reading, as one that is not made beside it does", async () => {
  const joining = await joiningMember(STAYING);
  const refusal = Object.assign(new Error("another protocol"), {
    type: "INCONSISTENT_GROUP_PROTOCOL",
    retriable: false,
  });
  joining.join.reject(refusal);
  await vi.waitFor(() => expect(joining.crashes).toHaveLength(1));
  expect(joining.crashes[0]).toMatchObject({ cause: refusal });
});

test("other consumers of the process stand still, as kafkajs has it", async () => {
  const joining = await joiningMember({});
  const before = joining.fetches;
  await turns();
  expect(joining.fetches).toBe(before);
});
