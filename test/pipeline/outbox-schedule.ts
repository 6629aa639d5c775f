import { Random } from "../../src/app/simulation/random.ts";
import { newCustomer, type Customer } from "../../src/domain/customer.ts";
import type { Classification } from "../../src/domain/classification.ts";
import type { CustomerEvent, OrderPlaced, Referral } from "../../src/domain/events.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import { instant } from "../../src/shared/instant.ts";
import { cancel, day, erased, order } from "./facts.ts";
import type { Adversary, Fault } from "./faults.ts";
import { OutboxWorld } from "./outbox-world.ts";
import { POLICY, World, type Owner } from "./world.ts";

/** What may happen in a schedule. */
export interface Plan {
  readonly shards: number;
  /** Facts that come long after they happened, cancellations and erasures among them. */
  readonly late: boolean;
  /** Orders that name a referrer, who may live in another shard. */
  readonly referrals: boolean;
  /** The store forgets its last writes, or all. */
  readonly loss: boolean;
}

/** Of two shards a, b, c and e are in the first, d, f and h in the second. */
export const CUSTOMERS = ["a", "b", "c", "d", "e", "f", "h"];
/** An erasure's marker is kept for a while only (S2.5), so who may be named later on is not erased: then every order of arrival has one truth. */
const REFERRERS = ["a", "d", "f"];
const DAYS = 24;
const END = 900;
const FAULTS: readonly Fault[] = ["fail", "lose answer", "stall", "arrive late"];

/** Facts that are appended together. */
interface Group {
  readonly day: number;
  readonly facts: readonly CustomerEvent[];
}

function drawFacts(random: Random, plan: Plan): Group[] {
  const groups: Group[] = [];
  const placed: { readonly day: number; readonly order: OrderPlaced }[] = [];
  let today = 1;
  /** Nothing is told late of the time before an erasure. */
  let earliest = 0;
  for (let i = 0; i < DAYS; i++) {
    today += random.chance(0.3) ? random.integer([60, 190]) : random.integer([1, 20]);
    const facts: CustomerEvent[] = [];
    // Several customers at one instant: their deadlines will fall on one instant too.
    for (const customerId of random.shuffled(CUSTOMERS).slice(0, random.integer([1, 4]))) {
      if (plan.late && random.chance(0.03) && !REFERRERS.includes(customerId)) {
        facts.push(erased(customerId, today));
        earliest = today + 1;
        continue;
      }
      const former = placed[random.below(placed.length + 1)];
      if (plan.late && random.chance(0.15) && former !== undefined && former.day > today - 300) {
        facts.push(cancel(former.order, today));
        continue;
      }
      const isLate = plan.late && random.chance(0.35);
      const at = Math.min(
        today,
        Math.max(earliest, today - (isLate ? random.pick([1, 10, 50, 181, 200, 366]) : 0)),
      );
      const referredBy = plan.referrals && random.chance(0.4) ? random.pick(REFERRERS) : null;
      const fact = order(customerId, at, { referredBy });
      placed.push({ day: at, order: fact });
      facts.push(fact);
    }
    groups.push({ day: today, facts });
  }
  return groups;
}

interface Run {
  readonly world: World;
  readonly outboxes: OutboxWorld;
  readonly facts: readonly CustomerEvent[];
}

/** Appends, time, deaths, take-overs and delays drawn from the seed, over outboxes; then a last owner finishes. */
export async function runSchedule(seed: number, plan: Plan): Promise<Run> {
  const random = new Random(seed, 1);
  const groups = drawFacts(new Random(seed, 2), plan);
  const world = new World({
    shards: plan.shards,
    options: {
      batchRecords: random.integer([1, 4]),
      sweepCustomers: random.integer([1, 2]),
      cacheBytes: random.integer([1, 6]),
      refreshMs: random.pick([2, 50, Infinity]),
      onStateLoss: plan.loss ? "rebuild" : "stop",
    },
  });
  const outboxes = new OutboxWorld(world);
  const rate = random.pick([0.01, 0.03, 0.08]);
  let isArmed = true;
  const adversary: Adversary = (call) => {
    if (!isArmed || !random.chance(rate)) return null;
    return call === "seek" ? "fail" : random.pick(FAULTS);
  };
  const current: Owner[] = [];
  for (let shard = 0; shard < plan.shards; shard++) current.push(outboxes.own(shard, adversary));
  for (const { day: today, facts } of groups) {
    world.clock.advanceTo(instant(day(today) - 43_200_000));
    if (random.chance(0.7)) await world.breathe(random.integer([1, 30]));
    await world.append(...facts);
    if (random.chance(0.7)) await world.breathe(random.integer([1, 30]));
    for (let shard = 0; shard < plan.shards; shard++) {
      if (!random.chance(0.25)) continue;
      const former = current[shard];
      const fate = random.below(3);
      if (fate === 0) former?.life.kill();
      if (fate === 1) former?.shard.stop();
      current[shard] = outboxes.own(shard, adversary);
    }
    if (plan.loss && random.chance(0.08)) await world.store.forget(random.integer([1, 5]));
    world.clock.advanceBy(3);
    while (world.held.count > 0 && random.chance(0.3)) {
      world.held.release(random.below(world.held.count));
      if (random.chance(0.5)) await world.breathe(random.integer([1, 10]));
    }
  }
  isArmed = false;
  world.held.releaseAll();
  await world.breathe(20);
  await world.stop();
  world.clock.advanceTo(instant(day(END + (groups.at(-1)?.day ?? 0))));
  for (let shard = 0; shard < plan.shards; shard++) current[shard] = outboxes.own(shard);
  for (let before = -1; before < outboxes.published.length;) {
    before = outboxes.published.length;
    for (const owner of current) await world.settle(owner);
  }
  await world.stop();
  return { world, outboxes, facts: groups.flatMap((group) => group.facts) };
}

/** What should be in force at `through`: everything folded at once, without shards, batches or faults. */
export function truthOf(facts: readonly CustomerEvent[], through: number): Map<string, Classification> {
  const options = { policy: POLICY, quiet: true, forget: true };
  const customers = new Map<string, Customer>();
  let version = 0;
  const fold = (event: CustomerEvent): readonly Referral[] => {
    const customer = customers.get(event.customerId) ?? newCustomer(event.customerId);
    customers.set(event.customerId, customer);
    const outcome = foldEvent(customer, event, null, options);
    if (outcome.kind === "dead_letter") throw new Error("the facts of a schedule are good ones");
    if (outcome.kind === "skip") return [];
    return outcome.referrals.map((referral) => ({ ...referral, version: ++version }));
  };
  for (const fact of facts) for (const referral of fold(fact)) fold(referral);
  const inForce = new Map<string, Classification>();
  for (const [customerId, customer] of customers) {
    advance(customer, instant(through), options);
    const classification = customer.state.standing?.classification;
    if (classification !== undefined) inForce.set(customerId, classification);
  }
  return inForce;
}
