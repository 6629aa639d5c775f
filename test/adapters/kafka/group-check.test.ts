import kafkajs, { type Admin } from "kafkajs";
import { describe, expect, test } from "vitest";
import { checkGroup } from "../../../src/adapters/kafka/group-check.ts";
import { FACT_TOPICS } from "../../../src/domain/events.ts";
import type { LogIdentity } from "../../../src/pipeline/log-identity.ts";

const LOG: LogIdentity = { cluster: "K", prefix: "a.", shards: 2, topics: { orders: "o1" } };
const { MemberMetadata } = kafkajs.AssignerProtocol;

function member(...topics: string[]): Buffer {
  return MemberMetadata.encode({ version: 1, topics, userData: Buffer.alloc(0) });
}

/** A group with these members, and these metadata beside its offsets of orders. */
function group(members: readonly Buffer[], receipts: readonly (string | null)[]): Admin {
  const asked = {
    describeGroups: () =>
      Promise.resolve({
        groups: [{ members: members.map((memberMetadata, i) => ({ memberId: `m${i}`, memberMetadata })) }],
      }),
    fetchOffsets: () =>
      Promise.resolve([
        {
          topic: "a.orders",
          partitions: receipts.map((metadata, partition) => ({ partition, offset: "5", metadata })),
        },
      ]),
  };
  return asked as unknown as Admin;
}

const receipt = (log?: LogIdentity): string =>
  JSON.stringify({ seq: 3, ...(log === undefined ? {} : { log }) });

describe("the group, before it is joined (A3, A4)", () => {
  test("new, with members of the same topics, and with receipts of this log and of before it was kept: fine", async () => {
    await checkGroup(group([], []), "g", LOG);
    await checkGroup(
      group([member(...FACT_TOPICS.map((topic) => `a.${topic}`))], [receipt(LOG), receipt(), null]),
      "g",
      LOG,
    );
  });

  test("a member of which the broker does not tell while the group is balanced, or of another protocol, says nothing", async () => {
    await checkGroup(group([Buffer.alloc(0), Buffer.from([1])], [""]), "g", LOG);
  });

  test("a member that reads other topics is named, and what it reads", async () => {
    await expect(checkGroup(group([member("b.orders")], []), "g", LOG)).rejects.toMatchObject({
      code: "APPLICATION_ID_TAKEN",
      message: expect.stringMatching(/group g has a member \(m0\) that reads b\.orders/) as string,
    });
  });

  test.each([
    ["with another number of partitions", { shards: 1 }, "PARTITIONS_CHANGED"],
    ["of a topic made anew", { topics: { orders: "o0" } }, "TOPICS_REPLACED"],
    ["of another cluster", { cluster: "L" }, "APPLICATION_ID_TAKEN"],
  ] as const)("one receipt %s is enough", async (_, change, code) => {
    const admin = group([], [receipt(LOG), receipt({ ...LOG, ...change })]);
    await expect(checkGroup(admin, "g", LOG)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/^the committed position of shard 1 /) as string,
    });
  });

  test("a receipt that can't be read is left to whoever acquires the shard", async () => {
    await checkGroup(group([], ["{"]), "g", LOG);
  });
});
