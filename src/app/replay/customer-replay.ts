import type { SegmentChange } from "../../domain/change.ts";
import { newCustomer, type Customer } from "../../domain/customer.ts";
import { changeOf } from "../../domain/draft.ts";
import { FACT_TOPICS, type CustomerEvent, type DeadLetterReason } from "../../domain/events.ts";
import { advance, foldEvent } from "../../domain/fold.ts";
import type { FoldOptions, FoldOutput, ReferralUpdate } from "../../domain/fold-api.ts";
import type { Policy } from "../../domain/policy.ts";
import type { Instant } from "../../shared/instant.ts";

/** An event of a customer, where it stands among all that are read. */
export interface Arrival {
  readonly event: CustomerEvent;
  /** `occurredAt`; of a referral that of the event it comes from. */
  readonly at: number;
  readonly position: number;
}

/** How customers are replayed. */
export interface ReplayTerms {
  readonly policy: Policy;
  /** Deadlines are applied up to here; also `decidedAt` of every change. */
  readonly asOf: Instant;
  /** False: changes are only counted. */
  readonly tellsChanges: boolean;
}

/** What the replay of a customer has to tell. */
export interface ReplayListener<A extends Arrival> {
  /** `place`: where the change stands among those of all customers. A tombstone has no change (S2.5). */
  change(place: number, change: SegmentChange | null): void;
  refused(arrival: A, reason: DeadLetterReason, detail: string): void;
}

/** Changes of the last deadlines come after those of all events, by their instants. */
const AFTER_ALL_EVENTS = 2 ** 51;

/**
 * Folds all that is known of one customer, up to the end of the run: the same steps that a shard takes event by event, without what only a
 * shard needs (a state that outlives it, commits, a clock). `arrivals` hold those of `referrals` too.
 */
export function replayCustomer<A extends Arrival>(
  customerId: string,
  arrivals: readonly A[],
  { policy, asOf, tellsChanges }: ReplayTerms,
  listener: ReplayListener<A>,
): Customer {
  const customer = newCustomer(customerId);
  const options: FoldOptions = { policy, quiet: !tellsChanges, anonymous: !tellsChanges, forget: false };
  let place = 0;
  let seq = 0;
  const tell = (output: FoldOutput, at: number): void => {
    seq++;
    listener.change(at, output === null ? null : changeOf(output, seq, asOf, "REPLAY", policy));
  };
  for (const arrival of inMergedOrder(arrivals)) {
    place = Math.max(place, arrival.position);
    const outcome = foldEvent(customer, arrival.event, null, options);
    if (outcome.kind === "dead_letter") listener.refused(arrival, outcome.reason, outcome.detail);
    if (outcome.kind === "folded") for (const output of outcome.outputs) tell(output, place);
  }
  for (const output of advance(customer, asOf, options)) {
    tell(output, AFTER_ALL_EVENTS + (output?.effectiveAt ?? asOf));
  }
  return customer;
}

/** A referral that an order of the customer gives or takes back, and where that happens. */
export interface GivenReferral {
  readonly referral: ReferralUpdate & { readonly version: number };
  readonly at: number;
  readonly position: number;
}

/** What the customer's orders tell referrers (A6). It depends on nothing but the customer's own facts. */
export function referralsGiven(
  customerId: string,
  arrivals: readonly Arrival[],
  policy: Policy,
): GivenReferral[] {
  const customer = newCustomer(customerId);
  const options: FoldOptions = { policy, quiet: true, anonymous: true, forget: false };
  const given: GivenReferral[] = [];
  for (const { event, at, position } of inMergedOrder(arrivals)) {
    const outcome = foldEvent(customer, event, null, options);
    if (outcome.kind !== "folded") continue;
    for (const referral of outcome.referrals) {
      given.push({ referral: { ...referral, version: given.length }, at, position });
    }
  }
  return given;
}

/**
 * A customer's events as its shard's merge would take them with all topics at hand (A3): of the first of each topic the one with the
 * lowest instant, equal ones in the order of the topics. Within a topic the order stays.
 */
export function inMergedOrder<A extends Arrival>(arrivals: readonly A[]): readonly A[] {
  if (isMerged(arrivals)) return arrivals;
  const heads = FACT_TOPICS.map((topic) => ({
    queue: arrivals.filter(({ event }) => event.topic === topic),
    next: 0,
  }));
  const merged: A[] = [];
  for (;;) {
    let lowest: (typeof heads)[number] | null = null;
    let lowestAt = Infinity;
    for (const head of heads) {
      const arrival = head.queue[head.next];
      if (arrival === undefined) continue;
      if (arrival.at < lowestAt) [lowest, lowestAt] = [head, arrival.at];
    }
    const taken = lowest?.queue[lowest.next++];
    if (taken === undefined) return merged;
    merged.push(taken);
  }
}

function isMerged(arrivals: readonly Arrival[]): boolean {
  let before: number = -Infinity;
  let topic = "";
  for (const { event, at } of arrivals) {
    if (at < before || (at === before && event.topic !== topic)) return false;
    before = at;
    topic = event.topic;
  }
  return true;
}
