import { describe, expect, test } from "vitest";
import { createStateCodec } from "../../src/adapters/avro/state-codec.ts";
import { createVirtualClock, type VirtualClock } from "../../src/adapters/embedded/clock.ts";
import { EmbeddedLog } from "../../src/adapters/embedded/embedded-log.ts";
import { policyFromText, policyText } from "../../src/app/policy-file.ts";
import { recordOf } from "../../src/app/compose-embedded.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import { newCustomer } from "../../src/domain/customer.ts";
import type { OrderPlaced } from "../../src/domain/events.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import { DEFAULT_SHARD_OPTIONS, type ShardOptions } from "../../src/pipeline/options.ts";
import { Shard } from "../../src/pipeline/shard.ts";
import { SILENT_TELEMETRY } from "../../src/pipeline/telemetry.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { Random } from "../../src/app/simulation/random.ts";
import { testPolicy } from "../policy.ts";
import { faultyLog, ForgetfulStore, type Adversary } from "./faults.ts";

const POLICY = testPolicy();
const START = Date.UTC(2024, 0, 1);
const CUSTOMERS = ["a", "b", "c", "d"];
const codec = createStateCodec();
const silent = (): void => undefined;
const LOGGER = { debug: silent, info: silent, warn: silent, error: silent };

interface Published {
  readonly customerId: string;
  readonly change: SegmentChange | null;
}

/** One shard's world: a log, a store that can forget, time moved by hand, and owners that come and go. */
class World {
  readonly clock: VirtualClock = createVirtualClock(instant(START));
  readonly published: Published[] = [];
  readonly store = new ForgetfulStore();
  readonly log: EmbeddedLog;
  readonly #owners = new Set<{ shard: Shard; ended: Promise<void> }>();
  readonly #options: Partial<ShardOptions>;

  constructor(options: Partial<ShardOptions> = {}) {
    this.#options = options;
    this.log = new EmbeddedLog({
      shards: 1,
      clock: this.clock,
      input: "endless",
      keep: "all",
      onCommitted: (_shard, output) => void this.published.push(...output.changes),
    });
  }

  /** A new owner; a former one that still runs is a zombie from then on. */
  own(adversary: Adversary): Shard {
    const shard = new Shard(
      {
        store: this.store.connect(adversary),
        codec,
        decoder: { decode: ({ decoded }) => decoded! },
        clock: this.clock,
        telemetry: SILENT_TELEMETRY,
        logger: LOGGER,
        policy: POLICY,
        policies: { text: policyText, parse: policyFromText },
        options: {
          ...DEFAULT_SHARD_OPTIONS,
          commitIntervalMs: 0,
          sweepIntervalMs: 0,
          batchRecords: 3,
          sweepCustomers: 2,
          cacheCustomers: 2,
          backoffMs: [1, 2],
          onStateLoss: "rebuild",
          ...this.#options,
        },
      },
      0,
      faultyLog(this.log.open(0), adversary),
    );
    const ended = shard.run();
    this.#owners.add({ shard, ended });
    return shard;
  }

  /** Lets everything that can happen without time or input happen. */
  async breathe(): Promise<void> {
    for (let i = 0; i < 40; i++) await new Promise(setImmediate);
  }

  async stop(): Promise<void> {
    for (const { shard } of this.#owners) shard.stop();
    // Those that wait in back-off do so on the clock.
    this.clock.advanceBy(10);
    await Promise.all([...this.#owners].map(({ ended }) => ended));
  }
}

const NEVER: Adversary = () => false;

function order(customerId: string, i: number, day: number): OrderPlaced {
  return {
    topic: "orders",
    kind: "PLACED",
    eventId: `e${i}`,
    customerId,
    occurredAt: instant(START + day * DAY_MS + i),
    orderId: `o${i}`,
    revision: 0,
    amountMinor: 10_000,
    currency: null,
    costMinor: 0,
    units: 1,
    categories: [],
    dueAt: null,
    referredBy: null,
  };
}

/** Facts of a few customers; `late`: some come long after they happened. */
function facts(random: Random, count: number, late: boolean): OrderPlaced[] {
  return Array.from({ length: count }, (_, i) => {
    const back = late && random.chance(0.3) ? random.integer([0, 90]) : 0;
    return order(CUSTOMERS[random.integer([0, CUSTOMERS.length - 1])]!, i, Math.max(0, i * 4 - back));
  });
}

/** A chain without gaps, ascending seq, no change twice (S8). */
function expectChains(published: readonly Published[]): Map<string, unknown> {
  const last = new Map<string, { current: unknown; seq: number }>();
  const seen = new Set<string>();
  for (const { customerId, change } of published) {
    if (change === null) {
      last.delete(customerId);
      continue;
    }
    const before = last.get(customerId);
    expect(change.previous).toEqual(before?.current ?? null);
    if (before !== undefined) expect(change.seq).toBeGreaterThan(before.seq);
    const key = `${customerId} ${change.seq}`;
    expect(seen.has(key)).toBe(false);
    seen.add(key);
    last.set(customerId, { current: change.current, seq: change.seq });
  }
  return new Map([...last].map(([customerId, { current }]) => [customerId, current]));
}

/** What should be in force: everything folded at once, on time. */
function expected(events: readonly OrderPlaced[], through: number): Map<string, unknown> {
  const options = { policy: POLICY, quiet: true, forget: true };
  const standing = new Map<string, unknown>();
  for (const customerId of CUSTOMERS) {
    const customer = newCustomer(customerId);
    for (const event of events)
      if (event.customerId === customerId) foldEvent(customer, event, null, options);
    advance(customer, instant(through), options);
    const now = customer.state.standing?.classification;
    if (now !== undefined) standing.set(customerId, now);
  }
  return standing;
}

/** Runs a schedule of appends, time, crashes, take-overs and losses drawn from the seed; returns the world at rest. */
async function runSchedule(seed: number, options: { late: boolean; time: boolean; loss: boolean }) {
  const random = new Random(seed);
  const events = facts(random, 40, options.late);
  const world = new World();
  let armed = true;
  const adversary: Adversary = () => armed && random.chance(0.04);
  let owner = world.own(adversary);
  let day = 0;
  for (const event of events) {
    await world.log.append([{ ...recordOf(event), arrivedAt: instant(event.occurredAt) }]);
    if (random.chance(0.5)) await world.breathe();
    if (options.time && random.chance(0.3)) {
      day = Math.max(day, event.occurredAt - START);
      world.clock.advanceTo(instant(START + day));
    }
    world.clock.advanceBy(3);
    if (random.chance(0.1)) {
      // A successor; the predecessor does not know yet, or dies.
      if (random.chance(0.5)) owner.stop();
      owner = world.own(adversary);
    }
    if (options.loss && random.chance(0.06)) {
      await world.breathe();
      if (random.chance(0.2)) await world.store.forgetAll();
      else await world.store.forget(random.integer([1, 4]));
    }
  }
  armed = false;
  const end = options.time ? START + 500 * DAY_MS : world.clock.now() + 1000;
  world.clock.advanceTo(instant(end));
  // Zombies fight for the shard until they are stopped: the last owner is to win.
  await world.breathe();
  await world.stop();
  const last = world.own(NEVER);
  const ticking = setInterval(() => world.clock.advanceBy(1), 1);
  await last.settled();
  clearInterval(ticking);
  const through = world.clock.now();
  await world.stop();
  return { world, events, through };
}

const SEEDS = Array.from({ length: 60 }, (_, i) => i + 1);

describe("crashes, take-overs and losses at any point (A4)", () => {
  test.each(SEEDS)(
    "without late facts and sweeps each change comes exactly once, as if nothing had happened (seed %i)",
    async (seed) => {
      const { world, events } = await runSchedule(seed, { late: false, time: false, loss: true });
      const calm = new World();
      const owner = calm.own(NEVER);
      for (const event of events)
        await calm.log.append([{ ...recordOf(event), arrivedAt: instant(event.occurredAt) }]);
      await owner.settled();
      await calm.stop();
      const ids = (published: readonly Published[], customerId: string): unknown[] =>
        published.filter((each) => each.customerId === customerId).map(({ change }) => change?.changeId);
      for (const customerId of CUSTOMERS) {
        expect(ids(world.published, customerId)).toEqual(ids(calm.published, customerId));
      }
    },
  );

  test.each(SEEDS)(
    "with late facts and time passing the changes form chains that end in the truth (seed %i)",
    async (seed) => {
      const { world, events, through } = await runSchedule(seed, { late: true, time: true, loss: true });
      const inForce = expectChains(world.published);
      expect(inForce).toEqual(expected(events, through));
      const stored = await world.store.inner.read(0, CUSTOMERS);
      for (const [i, customerId] of CUSTOMERS.entries()) {
        const bytes = stored[i];
        const state = bytes === null || bytes === undefined ? null : codec.decode(customerId, bytes);
        expect(state?.published?.classification).toEqual(inForce.get(customerId));
      }
    },
  );
});
