import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Processor } from "../../../src/pipeline/processor.ts";
import { DAY_MS, instant } from "../../../src/shared/instant.ts";
import { partitionOf } from "../../../src/shared/murmur2.ts";
import { order } from "../../pipeline/facts.ts";
import { startTcpProxy } from "../../tcp-proxy.ts";
import { DRAIN_MS, startKafkaWorld, until, type KafkaWorld } from "./kafka-world.ts";

const SHARDS = 6;
const CUSTOMERS = Array.from({ length: 24 }, (_, i) => `c${i}`);

let world: KafkaWorld;
let round = 0;
beforeAll(async () => {
  world = await startKafkaWorld("group", SHARDS);
});
afterAll(() => world.close());
beforeEach(() => {
  round++;
});
const running = new Set<Processor>();
/** What ended a member that should have gone on. */
const ends: unknown[] = [];

afterEach(async () => {
  await Promise.all([...running].map((member) => member.stop()));
  running.clear();
  expect(ends.splice(0)).toEqual([]);
});

async function join(port?: number): Promise<Processor> {
  const member = world.member(port);
  running.add(member);
  member.ended.catch((error: unknown) => ends.push(error));
  await member.start();
  return member;
}

async function leave(member: Processor): Promise<void> {
  running.delete(member);
  await member.stop();
}

/** One order of each customer, so long ago that it can't be of the future, and later than those of the round before. */
async function appendRound(): Promise<number> {
  const at = instant(Date.now() - 20 * DAY_MS + round * DAY_MS);
  await world.append(...CUSTOMERS.map((customerId) => order(customerId, 0, { occurredAt: at })));
  return at;
}

function isReady(...members: readonly Processor[]): boolean {
  const held = members.flatMap((member) => member.shards);
  return (
    new Set(held).size === SHARDS &&
    held.length === SHARDS &&
    members.every((member) => member.troubles().length === 0)
  );
}

/** Each customer's changes follow one another: none lost, none doubled. */
function expectChains(): void {
  const last = new Map<string, { current: unknown; seq: number }>();
  for (const { customerId, previous, current, seq } of world.changes) {
    const before = last.get(customerId);
    expect(previous).toEqual(before?.current ?? null);
    expect(seq).toBeGreaterThan(before?.seq ?? -1);
    last.set(customerId, { current, seq });
  }
}

/** The stage that a customer has by its changes. */
function stages(): Map<string, string> {
  return new Map(
    world.changes.map(({ customerId, current }) => [customerId, (current as { stage: string }).stage]),
  );
}

describe("members of one group (A3, A4)", () => {
  test("one joins and one leaves: only the shards that must do move, and nothing is lost or doubled", async () => {
    const first = await join();
    await until(() => isReady(first), "the first member");
    await appendRound();
    await until(() => stages().size === CUSTOMERS.length, "the changes of the first round");

    const before = first.shards;
    const second = await join();
    await until(() => first.shards.length === SHARDS / 2 && isReady(first, second), "an even split");
    expect(before).toEqual(expect.arrayContaining([...first.shards]));

    round++;
    await appendRound();
    await until(() => [...stages().values()].every((stage) => stage === "BUYER"), "the second round");

    const third = await join();
    const kept = { first: first.shards, second: second.shards };
    await until(() => third.shards.length === 2 && isReady(first, second, third), "three members");
    expect(kept.first).toEqual(expect.arrayContaining([...first.shards]));
    expect(kept.second).toEqual(expect.arrayContaining([...second.shards]));

    await leave(third);
    await until(() => isReady(first, second), "two members again");
    await Promise.all([leave(first), leave(second)]);
    expectChains();
  });

  test("a member whose shard another fences fails at its next commit, acquires again, and goes on", async () => {
    const member = await join();
    await until(() => isReady(member), "the member");
    const rival = world.rival(0);
    await rival.fence();
    await appendRound();
    await until(() => member.troubles().length > 0, "the loss of footing");
    await until(() => isReady(member), "the shard again");
    await appendRound();
    const marks = await rival.commit().then(
      () => "committed",
      (error: unknown) => error,
    );
    expect(marks).toMatchObject({ code: "FENCED", retriable: true });
    await leave(member);
    expectChains();
  });

  test("while the group waits for a member that is gone, those that are there read on", async () => {
    const proxy = await startTcpProxy(Number(world.brokers[0]!.split(":")[1]));
    const stays = await join();
    const lost = await join(proxy.port);
    await until(() => stays.shards.length === SHARDS / 2 && isReady(stays, lost), "an even split");
    const kept = stays.shards;
    await proxy.down();
    // Of the one without a broker the group learns only at the end of its session, and until then the next one's join waits.
    const joining = join();
    while ((await world.groupState()) !== "PreparingRebalance") await sleep(25);
    const fresh = Array.from({ length: 24 }, (_, i) => `k${i}`).filter((customerId) =>
      kept.includes(partitionOf(Buffer.from(customerId), SHARDS)),
    );
    // One after the other: the first may come before the member that stays has heard that it is to join anew.
    for (const customerId of fresh.slice(0, 8)) {
      await world.append(order(customerId, 0, { occurredAt: instant(Date.now() - DAY_MS) }));
      await until(() => stages().has(customerId), "what was appended meanwhile");
    }
    expect(await world.groupState()).toBe("PreparingRebalance");

    const next = await joining;
    await until(() => isReady(stays, next), "two members");
    await Promise.all([leave(next), leave(stays), leave(lost)]);
    expectChains();
  });

  test("no broker for a while: not ready, back-off, and then on as if nothing had been", async () => {
    const proxy = await startTcpProxy(Number(world.brokers[0]!.split(":")[1]));
    const member = await join(proxy.port);
    await until(() => isReady(member), "the member");
    await proxy.down();
    const fresh = ["x1", "x2", "x3", "x4", "x5", "x6"];
    await world.append(
      ...fresh.map((customerId) => order(customerId, 0, { occurredAt: instant(Date.now() - DAY_MS) })),
    );
    await until(() => member.troubles().length > 0, "the trouble");
    expect(stages().has("x1")).toBe(false);
    await proxy.up();
    // The returning one is a new member to the group, which waits until the former is missed: a session, at most a rebalance.
    await until(
      () => fresh.every((customerId) => stages().has(customerId)),
      "what was appended meanwhile",
      60_000,
    );
    await until(() => isReady(member), "readiness");
    await leave(member);
    await proxy.down();
    expectChains();
  });

  test("a stop while no broker answers ends with the drain time and the farewells, and a successor goes on (A4)", async () => {
    const proxy = await startTcpProxy(Number(world.brokers[0]!.split(":")[1]));
    const member = await join(proxy.port);
    await until(() => isReady(member), "the member");
    await appendRound();
    await proxy.down();
    const askedAt = Date.now();
    await leave(member);
    expect(Date.now() - askedAt).toBeLessThan(DRAIN_MS + 5_000);

    const successor = await join();
    await until(() => isReady(successor), "the successor", 30_000);
    await leave(successor);
    expectChains();
  });
});
