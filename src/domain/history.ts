import type { EventRef, Transition } from "./change.ts";
import type { CustomerState, InquiryFact, OrderFact, RegisterRecord, SurveyFact } from "./customer-state.ts";
import type { Policy } from "./policy.ts";
import { smallestRef, Walker } from "./walker.ts";

/** One instant of a fact: what is to be shown there, and which event it was. */
type Action = { readonly at: number; readonly eventId: string } & (
  | { readonly topic: "orders"; readonly fact: OrderFact }
  | { readonly topic: "inquiries"; readonly fact: InquiryFact }
  | { readonly topic: "surveys"; readonly fact: SurveyFact }
  | { readonly topic: "customers"; readonly fact: RegisterRecord }
  | { readonly topic: "referrals" }
);

/** All instants of all facts kept, ascending. */
function actionsOf(state: CustomerState): Action[] {
  const actions: Action[] = [];
  for (const fact of state.orders) {
    for (const { at, eventId } of fact.versions) actions.push({ at, eventId, topic: "orders", fact });
    for (const { at, eventId } of fact.paid) actions.push({ at, eventId, topic: "orders", fact });
    for (const { at, eventId } of fact.cancelled) actions.push({ at, eventId, topic: "orders", fact });
    for (const { versions } of fact.refunds) {
      for (const { at, eventId } of versions) actions.push({ at, eventId, topic: "orders", fact });
    }
  }
  for (const fact of state.inquiries) {
    for (const { at, eventId } of fact.versions) actions.push({ at, eventId, topic: "inquiries", fact });
  }
  for (const fact of state.surveys) {
    for (const { at, eventId } of fact.versions) actions.push({ at, eventId, topic: "surveys", fact });
  }
  for (const fact of state.register) {
    actions.push({ at: fact.at, eventId: fact.eventId, topic: "customers", fact });
  }
  for (const { referredId, orderId, spans } of state.referrals) {
    const eventId = referralRef(referredId, orderId);
    for (const { from, until } of spans) {
      actions.push({ at: from, eventId, topic: "referrals" });
      if (until !== null) actions.push({ at: until, eventId, topic: "referrals" });
    }
  }
  return actions.sort((a, b) => a.at - b.at);
}

/** How a boundary of a referral's spans is named as a cause: the referrer's shard does not know the event. */
export function referralRef(referredId: string, orderId: string): string {
  return `${referredId}/${orderId}`;
}

function show(walker: Walker, state: CustomerState, action: Action, at: number): void {
  const { ledger } = walker;
  switch (action.topic) {
    case "orders":
      ledger.seeOrder(action.fact, at, walker.window);
      break;
    case "inquiries":
      ledger.seeInquiry(action.fact, at, walker.window);
      break;
    case "surveys":
      ledger.seeSurvey(action.fact, at);
      break;
    case "customers":
      ledger.seeRecord(action.fact);
      break;
    case "referrals":
      ledger.seeReferrals(state.referrals, at);
      return;
  }
  ledger.newestAt = Math.max(ledger.newestAt, action.at);
}

/**
 * S7 from the beginning (or from the base, S2.4) up to and including `through`: every instant of the facts and every deadline
 * between, each evaluated once.
 */
export function walk(
  state: CustomerState,
  policy: Policy,
  through: number,
  onTransition: (transition: Transition, walker: Walker) => void,
): Walker {
  const walker = Walker.from(policy, state.base);
  const actions = actionsOf(state);
  let next = 0;
  const { base } = state;
  if (base !== null) {
    for (; next < actions.length; next++) {
      const action = actions[next];
      if (action === undefined || action.at > base.at) break;
      show(walker, state, action, base.at);
    }
  }
  const advance = (until: number): void => {
    for (;;) {
      const at = walker.nextDeadlineAt;
      if (at > until || at === Infinity) return;
      const transition = walker.applyDeadline(at);
      if (transition !== null) onTransition(transition, walker);
    }
  };
  while (next < actions.length) {
    const at = actions[next]?.at ?? Infinity;
    if (at > through) break;
    advance(at - 1);
    walker.moveTo(at);
    let ref: EventRef | null = null;
    for (; next < actions.length; next++) {
      const action = actions[next];
      if (action === undefined || action.at !== at) break;
      show(walker, state, action, at);
      ref = smallestRef(ref, { topic: action.topic, eventId: action.eventId });
    }
    const transition = walker.evaluate("EVENT", ref);
    if (transition !== null) onTransition(transition, walker);
  }
  if (walker.standing !== null) advance(through);
  return walker;
}

/** A walker that stands where the stored state was last evaluated, without folding the past again. */
export function resume(state: CustomerState, policy: Policy): Walker {
  const walker = Walker.from(policy, state.base);
  const at = state.evaluatedAt ?? -Infinity;
  walker.moveTo(at);
  for (const fact of state.orders) walker.ledger.seeOrder(fact, at, walker.window);
  for (const fact of state.inquiries) walker.ledger.seeInquiry(fact, at, walker.window);
  for (const fact of state.surveys) walker.ledger.seeSurvey(fact, at);
  for (const fact of state.register) walker.ledger.seeRecord(fact);
  if (state.referrals.length > 0) walker.ledger.seeReferrals(state.referrals, at);
  walker.ledger.newestAt = state.newestAt ?? -Infinity;
  walker.standing = state.standing;
  return walker;
}
