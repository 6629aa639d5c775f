import { createStateCodec } from "../../src/adapters/avro/state-codec.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import type { Classification } from "../../src/domain/classification.ts";
import { loadCustomer } from "../../src/domain/customer.ts";
import type { CustomerState } from "../../src/domain/customer-state.ts";
import { FACT_TOPICS } from "../../src/domain/events.ts";
import { nextDeadline } from "../../src/domain/fold.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { compareClocks } from "../../src/pipeline/shard-clock.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";
import { shown } from "./describe.ts";
import type { Story } from "./facts.ts";
import { isExact, type Plan } from "./plan.ts";
import type { Broker, ForgetfulStore, Transaction } from "./servers.ts";
import { truthOf, type Truth } from "./truth.ts";

/** What a schedule came to, when everything is over. */
export interface Ended {
  readonly plan: Plan;
  readonly story: Story;
  readonly broker: Broker;
  readonly store: ForgetfulStore;
  readonly policy: Policy;
  readonly through: Instant;
  /** Some of it was folded again in silence, at a time when more of the topics was there to be merged. */
  readonly isRefolded: boolean;
}

/** What a subscriber, or a look into the store, would find wrong. */
export class Violation extends Error {}

const codec = createStateCodec();

/** Holds all that was published, and all that is stored, against the facts. Throws a Violation. */
export async function verify(ended: Ended): Promise<void> {
  const { plan, story, broker, policy, through } = ended;
  const truth = truthOf(story.facts, through, policy);
  const inForce = followChains(ended);
  for (const [customerId, { standing }] of truth.states) {
    const expected = standing?.classification;
    if (!same(inForce.get(customerId)?.current, expected)) {
      throw new Violation(
        `${customerId} ends as ${shown(inForce.get(customerId)?.current)}, which should be ${shown(expected)}`,
      );
    }
  }
  for (const customerId of inForce.keys()) {
    if (!truth.states.has(customerId))
      throw new Violation(`${customerId} was published, of whom there is nothing`);
  }
  if (isExact(plan)) expectExactly(broker.transactions, truth);
  expectDeadLetters(broker.transactions, story);
  for (let shard = 0; shard < plan.shards; shard++) {
    expectAscending(broker.transactions, shard);
    await expectAtRest(ended, shard);
  }
  expectStates(ended, truth, inForce);
}

interface InForce {
  readonly current: Classification;
  /** null: a silent first start said so, without a change. */
  readonly changeId: string | null;
}

/** Each change follows from the one before it (S8), corrects what was published last (S7.2), and has its segment beside it. */
function followChains({ plan, broker, isRefolded }: Ended): Map<string, InForce> {
  const inForce = new Map<string, InForce>();
  const ids = new Set<string>();
  const silent = new Map<number, boolean>();
  for (const { shard, output, receipt } of broker.transactions) {
    const wasSilent = silent.get(shard) ?? false;
    silent.set(shard, receipt.silentBelow !== null);
    const changed = new Set<string>();
    for (const { customerId, change } of output.changes) {
      changed.add(customerId);
      if (change === null) {
        inForce.delete(customerId);
        continue;
      }
      if (wasSilent && receipt.silentBelow !== null) {
        throw new Violation(`a silent first start told of ${customerId}: ${change.changeId}`);
      }
      const before = inForce.get(customerId);
      // The end of a silent history may lie in the batch of what comes after it, and then nobody is told of it.
      if (!wasSilent || (before?.changeId ?? null) !== null) follow(before, change, isRefolded);
      // After a re-fold that met facts in another order, or passed over a policy that had been taken back, a change may follow, and be
      // named after, what was published earlier or never.
      const mayRepeat = isRefolded && !isExact(plan);
      if (ids.has(change.changeId) && !mayRepeat) {
        throw new Violation(`change ${change.changeId} of ${customerId} was published twice`);
      }
      ids.add(change.changeId);
      inForce.set(customerId, { current: change.current, changeId: change.changeId });
    }
    for (const { customerId, segment } of output.segments) {
      if (!changed.has(customerId)) {
        if (!wasSilent) throw new Violation(`a segment of ${customerId} without a change`);
        if (segment === null) inForce.delete(customerId);
        else inForce.set(customerId, { current: segment.classification, changeId: null });
      }
      if (!same(segment?.classification, inForce.get(customerId)?.current)) {
        throw new Violation(`the segment of ${customerId} is not what its last change says`);
      }
    }
  }
  return inForce;
}

function follow(before: InForce | undefined, change: SegmentChange, isRefolded: boolean): void {
  const { customerId, changeId, supersedes } = change;
  if (!same(change.previous ?? undefined, before?.current)) {
    throw new Violation(
      `the chain of ${customerId} is broken at ${changeId}: ${shown(before?.current)} was published, the next change follows ${shown(change.previous)}`,
    );
  }
  // A re-fold may meet late facts in their place: it reaches the same classification by another change than the published one.
  const corrected = isRefolded ? null : (before?.changeId ?? null);
  if (supersedes !== null && corrected !== null && supersedes !== corrected) {
    throw new Violation(
      `${changeId} of ${customerId} corrects ${supersedes}, but ${corrected} was published last`,
    );
  }
}

/** Every change that the facts make, in order, and no other. */
function expectExactly(transactions: readonly Transaction[], truth: Truth): void {
  const published = new Map<string, (string | null)[]>();
  for (const { output } of transactions) {
    for (const { customerId, change } of output.changes) {
      const ids = published.get(customerId) ?? [];
      published.set(customerId, ids);
      ids.push(change?.changeId ?? null);
    }
  }
  for (const customerId of new Set([...published.keys(), ...truth.changeIds.keys()])) {
    const got = published.get(customerId) ?? [];
    const wanted = truth.changeIds.get(customerId) ?? [];
    if (got.length === wanted.length && got.every((id, i) => id === wanted[i])) continue;
    throw new Violation(
      `the changes of ${customerId} are [${got.join(", ")}], which should be [${wanted.join(", ")}]`,
    );
  }
}

function expectDeadLetters(transactions: readonly Transaction[], story: Story): void {
  const seen = new Set<string>();
  for (const { output } of transactions) {
    for (const { record, reason } of output.deadLetters) {
      const where = `${record.topic}-${record.partition}@${record.offset}`;
      if (reason !== "undecodable") throw new Violation(`${where} was refused as ${reason}`);
      if (seen.has(where)) throw new Violation(`the dead letter of ${where} was written twice`);
      seen.add(where);
    }
  }
  if (seen.size !== story.unreadable) {
    throw new Violation(`${seen.size} dead letters of ${story.unreadable} records that can't be read`);
  }
}

/** Over a whole shard, not only per customer: whatever the store forgot, no owner numbers below a former one (A4). */
function expectAscending(transactions: readonly Transaction[], shard: number): void {
  let lastSeq = -1;
  let last: Transaction["receipt"] | null = null;
  for (const { shard: of, output, receipt } of transactions) {
    if (of !== shard) continue;
    // Output whose offsets come by themselves, as an omission has it, leaves the receipt that was there.
    if (last !== null && receipt !== last && receipt.seq <= last.seq) {
      throw new Violation(`a receipt ${receipt.seq} follows ${last.seq}`);
    }
    last = receipt;
    for (const { change } of output.changes) {
      if (change === null) continue;
      if (change.seq <= lastSeq) throw new Violation(`seq ${change.seq} follows ${lastSeq}`);
      lastSeq = change.seq;
    }
  }
}

/** Marks that agree with the receipt, and nothing left to read. */
async function expectAtRest({ broker, store }: Ended, shard: number): Promise<void> {
  const { marks } = store.of(shard).snapshot();
  const committed = broker.committed(shard);
  if (marks === null || committed === null) throw new Violation(`shard ${shard} has no marks or no receipt`);
  const { receipt, offsets } = committed;
  if (marks.published !== receipt.seq) {
    throw new Violation(`the marks say published ${marks.published}, the receipt ${receipt.seq}`);
  }
  if (compareClocks(marks.clock, receipt.clock) < 0)
    throw new Violation("the marks' clock is behind the receipt's");
  const ends = await broker.ends(shard);
  for (const topic of FACT_TOPICS) {
    const at = marks.offsets[topic] ?? 0;
    if (at < (offsets[topic] ?? 0))
      throw new Violation(`the marks are behind the committed offset of ${topic}`);
    if (at !== ends[topic])
      throw new Violation(`${topic}-${shard} was read up to ${at} of ${String(ends[topic])}`);
  }
}

/** The store holds each customer as the facts make it and as it was published, with its deadline, and nothing else. */
function expectStates(
  { plan, store, policy }: Ended,
  truth: Truth,
  inForce: ReadonlyMap<string, InForce>,
): void {
  const held = new Set<string>();
  for (let shard = 0; shard < plan.shards; shard++) {
    const state = store.of(shard);
    const deadlines = new Map(
      state.due(instant(Number.MAX_SAFE_INTEGER), 1000).map(({ customerId, at }) => [customerId, at]),
    );
    for (const customerId of state.customers("", 1000)) {
      const [stored] = state.read([customerId]);
      if (stored === null || stored === undefined)
        throw new Violation(`${customerId} is listed but not held`);
      const found = codec.decode(customerId, stored);
      held.add(customerId);
      const wanted = truth.states.get(customerId);
      if (wanted === undefined) throw new Violation(`${customerId} is held, of whom there is nothing`);
      const last = inForce.get(customerId);
      if (!same(found.published?.classification, last?.current)) {
        throw new Violation(
          `the state of ${customerId} says ${shown(found.published?.classification)} was published, it was ${shown(last?.current)}`,
        );
      }
      const [is, should] = [canonical(found), canonical(wanted)];
      if (is !== should)
        throw new Violation(`the state of ${customerId} is ${is}, which should be ${should}`);
      const deadline = nextDeadline(loadCustomer(found, policy), policy);
      if (deadline !== (deadlines.get(customerId) ?? null)) {
        throw new Violation(
          `the deadline of ${customerId} is ${String(deadlines.get(customerId))}, which should be ${String(deadline)}`,
        );
      }
      deadlines.delete(customerId);
    }
    for (const customerId of deadlines.keys())
      throw new Violation(`a deadline of ${customerId}, of whom there is nothing`);
  }
  for (const customerId of truth.states.keys()) {
    if (!held.has(customerId)) throw new Violation(`${customerId} is not held`);
  }
}

/**
 * What two states of the same facts share, in whatever order those came. The marker of an erasure (S2.5) stays with a customer
 * who came back before it was to go.
 */
function canonical(state: CustomerState): string {
  const { orders, inquiries, surveys, register, referrals, newestAt, evaluatedAt, standing } = state;
  return JSON.stringify({
    orders: orders.map(({ page: _, ...order }) => JSON.stringify(order)).sort(),
    inquiries: inquiries.map((inquiry) => JSON.stringify(inquiry)).sort(),
    surveys: surveys.map((survey) => JSON.stringify(survey)).sort(),
    register,
    referrals: referrals.map(({ version: _, ...referral }) => JSON.stringify(referral)).sort(),
    newestAt,
    evaluatedAt,
    standing,
  });
}

function same(a: Classification | undefined, b: Classification | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return shown(a) === shown(b);
}
