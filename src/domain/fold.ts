import { instant, type Instant } from "../shared/instant.ts";
import { refusalOf } from "./admission.ts";
import type { Cause, EventRef, Transition } from "./change.ts";
import { sameClassification, type Before } from "./classify.ts";
import type { Customer } from "./customer.ts";
import { changeIdOf, draftOf, type Grounds } from "./draft.ts";
import { eraseFacts } from "./erasure.ts";
import type { CustomerErased, CustomerEvent, Referral } from "./events.ts";
import { figuresOf } from "./figures.ts";
import type { FoldOptions, FoldOutcome, FoldOutput, ReferralUpdate } from "./fold-api.ts";
import { referralRef, resume, walk } from "./history.ts";
import { mergeEvent, type FactEvent, type Merged } from "./merge-event.ts";
import type { Policy } from "./policy.ts";
import { mergeReferral, referralUpdates, spansByReferrer } from "./referral.ts";
import { forgetSettled } from "./retention.ts";
import { beforeOf, type Walker } from "./walker.ts";

/**
 * Folds one event into the customer, in place (S1, S2, S7). Same customer, same event, same result; no clock.
 * @param through every deadline up to here counts as applied by the shard (A4): whatever the event creates at or before it
 *   fires at once; null: none
 */
export function foldEvent(
  customer: Customer,
  event: CustomerEvent,
  through: Instant | null,
  options: FoldOptions,
): FoldOutcome {
  if (event.topic === "referrals") return foldReferral(customer, event, through, options);
  const { erasedAt } = customer.state;
  if (erasedAt !== null && event.occurredAt <= erasedAt) return { kind: "skip", reason: "erased" };
  const refusal = refusalOf(customer, event, options.policy);
  if (refusal !== null) return { kind: "dead_letter", ...refusal };
  if (event.topic === "customers" && event.kind === "ERASED") return erase(customer, event, through, options);
  return foldFact(customer, event, through, options);
}

/** Applies all deadlines up to and including `through`, ascending (S7.1). */
export function advance(customer: Customer, through: Instant, options: FoldOptions): readonly FoldOutput[] {
  const outputs: FoldOutput[] = [];
  advanceInto(outputs, customer, through, options);
  return outputs;
}

/** The next instant at which the customer must be looked at though nothing happens; null: none. */
export function nextDeadline(customer: Customer, policy: Policy): Instant | null {
  const { state } = customer;
  if (state.evaluatedAt === null) {
    return state.erasedAt === null ? null : instant(state.erasedAt + policy.erasureMarkerMs);
  }
  const at = customer.walker(policy).nextDeadlineAt;
  return at === Infinity ? null : instant(at);
}

/** Folds the customer anew under `options.policy` (S7.3): at most one change, of cause POLICY. */
export function repolicy(
  customer: Customer,
  through: Instant | null,
  options: FoldOptions,
): readonly FoldOutput[] {
  return refold(customer, through, options, "POLICY");
}

function foldFact(
  customer: Customer,
  event: FactEvent,
  through: Instant | null,
  options: FoldOptions,
): FoldOutcome {
  const { state } = customer;
  const order = event.topic === "orders" ? customer.order(event.orderId) : undefined;
  const spansBefore = order === undefined ? null : spansByReferrer(order, state.customerId);
  // The walker is made before the fact is merged: it must not see what has not happened yet.
  const walker = customer.walker(options.policy);
  const merged = mergeEvent(customer, event);
  if (merged === null) return { kind: "skip", reason: "duplicate" };
  if (merged.of !== "orders") customer.restMemo = null;
  const at = event.occurredAt;
  state.newestAt = instant(Math.max(state.newestAt ?? -Infinity, at));
  let outputs: FoldOutput[] = [];
  if (state.evaluatedAt === null || at > state.evaluatedAt) {
    advanceInto(outputs, customer, instant(at - 1), options);
    walker.moveTo(at);
    show(walker, merged, at);
    step(outputs, customer, walker, { topic: event.topic, eventId: event.eventId }, options);
    state.evaluatedAt = at;
    if (through !== null) advanceInto(outputs, customer, through, options);
  } else {
    outputs = refold(customer, through, options, "LATE");
  }
  if (options.forget && forgetSettled(customer, options.policy)) {
    customer.continueWith(resume(state, options.policy));
  }
  return { kind: "folded", outputs, referrals: referralsOf(customer, event, merged, spansBefore) };
}

/** Shows a fact that has changed to the fold. */
function show(walker: Walker, merged: Merged, at: number): void {
  const { ledger, window } = walker;
  switch (merged.of) {
    case "orders":
      ledger.seeOrder(merged.fact, at, window);
      break;
    case "inquiries":
      ledger.seeInquiry(merged.fact, at, window);
      break;
    case "surveys":
      ledger.seeSurvey(merged.fact, at);
      break;
    case "customers":
      ledger.seeRecord(merged.fact);
      break;
  }
  ledger.newestAt = Math.max(ledger.newestAt, at);
}

function referralsOf(
  customer: Customer,
  event: FactEvent,
  merged: Merged,
  before: ReturnType<typeof spansByReferrer> | null,
): readonly ReferralUpdate[] {
  if (event.topic !== "orders" || merged.of !== "orders") return [];
  const after = spansByReferrer(merged.fact, customer.state.customerId);
  if (after.size === 0 && (before === null || before.size === 0)) return [];
  return referralUpdates(customer.state.customerId, event.orderId, before ?? new Map(), after);
}

function foldReferral(
  customer: Customer,
  event: Referral,
  through: Instant | null,
  options: FoldOptions,
): FoldOutcome {
  const { state } = customer;
  if (event.referredId === event.customerId) return { kind: "skip", reason: "superseded" };
  const walker = customer.walker(options.policy);
  const differences = mergeReferral(state.referrals, event, state.erasedAt);
  if (differences === null) return { kind: "skip", reason: "superseded" };
  customer.restMemo = null;
  const first = differences[0];
  if (first === undefined) return { kind: "skip", reason: "duplicate" };
  if (state.evaluatedAt !== null && first <= state.evaluatedAt) {
    return { kind: "folded", outputs: refold(customer, through, options, "LATE"), referrals: [] };
  }
  const outputs: FoldOutput[] = [];
  const ref: EventRef = { topic: "referrals", eventId: referralRef(event.referredId, event.orderId) };
  for (const at of differences) {
    advanceInto(outputs, customer, instant(at - 1), options);
    walker.moveTo(at);
    walker.ledger.seeReferrals(state.referrals, at);
    step(outputs, customer, walker, ref, options);
    state.evaluatedAt = instant(at);
  }
  if (through !== null) advanceInto(outputs, customer, through, options);
  return { kind: "folded", outputs, referrals: [] };
}

function erase(
  customer: Customer,
  event: CustomerErased,
  through: Instant | null,
  options: FoldOptions,
): FoldOutcome {
  const { state } = customer;
  const outputs: FoldOutput[] = [];
  const isInOrder = state.evaluatedAt === null || event.occurredAt > state.evaluatedAt;
  if (isInOrder && state.evaluatedAt !== null) {
    advanceInto(outputs, customer, instant(event.occurredAt - 1), options);
  }
  const referrals = eraseFacts(customer, event.occurredAt);
  outputs.push(null);
  customer.changes++;
  state.published = null;
  state.standing = null;
  outputs.push(...refold(customer, through, options, "LATE"));
  // Without facts left only the marker has a deadline, and the shard's clock may have passed it already (A4).
  if (through !== null && state.evaluatedAt === null) advanceInto(outputs, customer, through, options);
  return { kind: "folded", outputs: options.quiet ? [] : outputs, referrals };
}

/** Evaluates at an instant of which the facts have been shown, and publishes what changed. */
function step(
  outputs: FoldOutput[],
  customer: Customer,
  walker: Walker,
  ref: EventRef,
  options: FoldOptions,
): void {
  const { before } = walker;
  const transition = walker.evaluate("EVENT", ref);
  customer.state.standing = walker.standing;
  if (transition !== null) publish(outputs, customer, walker, transition, before, options);
}

function advanceInto(
  outputs: FoldOutput[],
  customer: Customer,
  through: Instant,
  options: FoldOptions,
): void {
  const { state } = customer;
  if (state.evaluatedAt === null) {
    if (
      state.erasedAt !== null &&
      !customer.hasFacts &&
      state.erasedAt + options.policy.erasureMarkerMs <= through
    ) {
      state.erasedAt = null;
    }
    return;
  }
  const walker = customer.walker(options.policy);
  for (;;) {
    const at = walker.nextDeadlineAt;
    if (at > through || at === Infinity) return;
    const { before } = walker;
    const transition = walker.applyDeadline(at);
    state.standing = walker.standing;
    state.evaluatedAt = instant(at);
    if (transition !== null) publish(outputs, customer, walker, transition, before, options);
  }
}

/** Publishes one transition on the way: its `previous` is what was published before (S8). */
function publish(
  outputs: FoldOutput[],
  customer: Customer,
  walker: Walker,
  transition: Transition,
  before: Before,
  options: FoldOptions,
): void {
  const { figures } = walker;
  if (figures === null) throw new Error("a transition has figures");
  const { at, cause } = transition;
  publishAs(outputs, customer, walker, cause, at, { at, figures, before }, options);
  walker.figures = null;
}

function publishAs(
  outputs: FoldOutput[],
  customer: Customer,
  walker: Walker,
  cause: Cause,
  effectiveAt: Instant,
  grounds: Grounds,
  options: FoldOptions,
): void {
  const { state } = customer;
  const current = state.standing?.classification;
  if (current === undefined) throw new Error("a customer that is published has a standing");
  const previous = state.published?.classification ?? null;
  if (previous !== null && sameClassification(previous, current)) return;
  customer.changes++;
  if (options.anonymous === true) {
    state.published = { classification: current, changeId: "" };
    return;
  }
  const follows =
    cause.kind === "LATE" || cause.kind === "POLICY" ? (state.published?.changeId ?? null) : null;
  const supersedes = cause.kind === "LATE" ? follows : null;
  const changeId = changeIdOf(state.customerId, cause, effectiveAt, previous, current, follows);
  if (!options.quiet) {
    outputs.push(
      draftOf(state.customerId, changeId, cause, effectiveAt, previous, current, grounds, walker, supersedes),
    );
  }
  state.published = { classification: current, changeId };
}

/**
 * Folds the customer from the beginning, or from the base, up to where it was, or the shard is (S7.2, S7.3), and publishes one
 * change if what is now in force differs from what was published.
 */
function refold(
  customer: Customer,
  through: Instant | null,
  options: FoldOptions,
  kind: "LATE" | "POLICY",
): FoldOutput[] {
  const { state } = customer;
  const outputs: FoldOutput[] = [];
  const limit = Math.max(state.evaluatedAt ?? -Infinity, through ?? -Infinity, newestInstant(customer));
  let led: Grounds | null = null;
  let memory: Before = beforeOf(state.base?.standing ?? null);
  const walker = walk(state, options.policy, limit, ({ at }, walking) => {
    led = walking.figures === null ? null : { at, figures: walking.figures, before: memory };
    memory = walking.before;
  });
  state.standing = walker.standing;
  walker.figures = null;
  customer.continueWith(walker);
  if (walker.standing === null) {
    state.evaluatedAt = null;
    if (state.published !== null) {
      state.published = null;
      customer.changes++;
      if (!options.quiet) outputs.push(null);
    }
    return outputs;
  }
  state.evaluatedAt = instant(walker.window.at);
  const { since, cause } = walker.standing;
  // The facts of a settled transition may have been dropped (S2.4): kept or not, it is explained with those of now.
  const isSettled = since < (state.newestAt ?? -Infinity) - options.policy.horizonMs;
  const grounds = isSettled ? null : (led as Grounds | null);
  publishAs(
    outputs,
    customer,
    walker,
    { kind, ref: cause.ref },
    since,
    grounds ?? groundsOf(walker),
    options,
  );
  return outputs;
}

function groundsOf(walker: Walker): Grounds {
  const { window, before } = walker;
  return { at: window.at, figures: figuresOf(window, before.accountSince), before };
}

/** Every fact kept has been seen once a re-fold is over. */
function newestInstant(customer: Customer): number {
  let newest = customer.state.newestAt ?? -Infinity;
  for (const { spans } of customer.state.referrals) {
    for (const { from, until } of spans) newest = Math.max(newest, until ?? from);
  }
  return newest;
}
