import { describe, expect, test } from "vitest";
import { partitionOf } from "../../src/shared/murmur2.ts";
import { CUSTOMERS, runSchedule, settleAll, truthOf, type Plan } from "./schedule.ts";
import { followChains, World } from "./world.ts";

const SEEDS = Array.from({ length: 120 }, (_, i) => i + 1);

/** A seed that failed is run alone by naming it. */
async function withSeed(seed: number, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    const name = expect.getState().currentTestName ?? "";
    const rerun = `npx vitest run --project unit test/pipeline/crashes.test.ts -t "seed ${seed}$"`;
    throw new Error(`${name}\nagain: ${rerun}\n${String(error)}`, { cause: error });
  }
}

/** Over a whole shard, not only per customer: whatever the store forgot, no owner numbers below a former one (A4). */
function expectAscending(world: World, shards: number): void {
  for (let shard = 0; shard < shards; shard++) {
    const mine = world.transactions.filter((transaction) => transaction.shard === shard);
    const seqs = mine.flatMap(({ output }) => output.changes.flatMap(({ change }) => change?.seq ?? []));
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    const receipts = mine.map(({ receipt }) => receipt.seq);
    expect(receipts).toEqual([...receipts].sort((a, b) => a - b));
  }
}

async function expectTruth(seed: number, plan: Plan): Promise<void> {
  const { world, facts } = await runSchedule(seed, plan);
  const inForce = followChains(world.changes);
  expect(inForce).toEqual(truthOf(facts, world.clock.now()));
  expectAscending(world, plan.shards);
  for (const customerId of CUSTOMERS) {
    const state = await world.state(customerId, partitionOf(Buffer.from(customerId), plan.shards));
    expect(state?.published?.classification).toEqual(inForce.get(customerId));
  }
}

async function expectOnce(seed: number, plan: Plan): Promise<void> {
  const { world, facts } = await runSchedule(seed, plan);
  const calm = new World();
  calm.clock.advanceTo(world.clock.now());
  await calm.append(...facts);
  await settleAll(calm, [calm.own()]);
  await calm.stop();
  const idsOf = ({ changes }: World, customerId: string): unknown[] =>
    changes.filter((each) => each.customerId === customerId).map(({ change }) => change?.changeId);
  for (const customerId of CUSTOMERS) expect(idsOf(world, customerId)).toEqual(idsOf(calm, customerId));
  expectAscending(world, plan.shards);
}

describe("owners that die, sleep and fight for a shard (A4)", () => {
  test.each(SEEDS)("each change comes exactly once, and no state is ever taken for lost, seed %i", (seed) =>
    withSeed(seed, () => expectOnce(seed, { shards: 1, late: false, referrals: false, loss: false })),
  );
  test.each(SEEDS)("late facts: the changes form chains that end in the truth, seed %i", (seed) =>
    withSeed(seed, () => expectTruth(seed, { shards: 1, late: true, referrals: false, loss: false })),
  );
});

describe("a store that forgets, besides (A4)", () => {
  test.each(SEEDS)("each change still comes exactly once, seed %i", (seed) =>
    withSeed(seed, () => expectOnce(seed, { shards: 1, late: false, referrals: false, loss: true })),
  );
  test.each(SEEDS)("late facts: the changes form chains that end in the truth, seed %i", (seed) =>
    withSeed(seed, () => expectTruth(seed, { shards: 1, late: true, referrals: false, loss: true })),
  );
});

describe("referrals between two shards (A6, S3.8)", () => {
  test.each(SEEDS.slice(0, 80))("named, taken back and erased, each counts just once, seed %i", (seed) =>
    withSeed(seed, () => expectTruth(seed, { shards: 2, late: true, referrals: true, loss: true })),
  );
});
