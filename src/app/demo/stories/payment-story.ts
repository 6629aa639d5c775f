import type { Transition } from "../../../domain/change.ts";
import { STAGES, type Stage } from "../../../domain/classification.ts";
import { dateText } from "../human-text.ts";
import { stepOf, type Protagonist, type Story, type StoryKind } from "./story.ts";

const rank = (stage: Stage): number => STAGES.indexOf(stage);
/** Transitions told after the fall. */
const STEPS_AFTER = 4;

const isFall = ({ previous, current, cause }: Pick<Transition, "previous" | "current" | "cause">): boolean =>
  cause.ref === "overdue" && previous !== null && rank(current.stage) < rank(previous.stage);

const becomesSlow = ({ previous, current }: Pick<Transition, "previous" | "current">): boolean =>
  current.tags.includes("SLOW_PAYER") && !(previous?.tags.includes("SLOW_PAYER") ?? false);

/** "What a late payment did": an unpaid invoice caps the stage (S6.2), its payment lifts the cap, and the tenure starts anew. */
export const paymentStory: StoryKind = {
  name: "payment",
  absence: "Every invoice of this run was paid in time, so no late payment did anything. Try more customers.",
  fit(changes) {
    const fall = changes.findLast(({ change }) => isFall(change));
    if (fall !== undefined) return 10 + rank(fall.change.previous?.stage ?? "NONE");
    return changes.some(({ change }) => becomesSlow(change)) ? 1 : 0;
  },
  tell(protagonist) {
    const { transitions } = protagonist;
    const fallAt = transitions.findLastIndex(isFall);
    return fallAt >= 0 ? tellFall(protagonist, fallAt) : tellSlow(protagonist);
  },
};

function tellFall(protagonist: Protagonist, index: number): Story | null {
  const { transitions } = protagonist;
  const fall = transitions[index];
  const then = fall === undefined ? null : protagonist.explainAt(fall.at);
  const now = protagonist.explainAt(protagonist.now);
  if (fall === undefined || then === null || now === null) return null;
  const lift = transitions
    .slice(index + 1)
    .find(({ current }) => rank(current.stage) > rank(fall.current.stage));
  const after = lift === undefined ? null : protagonist.explainAt(lift.at);
  const remarks = [
    `On ${dateText(fall.at)} an invoice had been due for the allowed time and was still unpaid: nobody sent a record, the day itself made it count.`,
  ];
  if (lift !== undefined && after !== null) {
    remarks.push(
      `The payment of ${dateText(lift.at)} lifted the cap at once: over all invoices of a year it now pays ${after.facts.dbtDays.toFixed(1)} days late on average.`,
    );
    if (fall.previous?.stage === "PATRON" || fall.previous?.stage === "SPONSOR") {
      remarks.push(
        "To be a PATRON again takes an unbroken half year as an ACCOUNT, counted anew from that day.",
      );
    }
  }
  return {
    customerId: protagonist.customerId,
    title: `What a late payment did to ${protagonist.customerId}`,
    steps: transitions.slice(Math.max(0, index - 1), index + 1 + STEPS_AFTER).map(stepOf(protagonist)),
    remarks,
    rules: { heading: `Caps on its stage on ${dateText(fall.at)} (✓ = binds)`, checks: then.caps },
    today: now,
    advice: now.lever === null ? null : `What to do with it today: ${now.lever}.`,
  };
}

function tellSlow(protagonist: Protagonist): Story | null {
  const { transitions } = protagonist;
  const index = transitions.findLastIndex(becomesSlow);
  const slow = transitions[index];
  const then = slow === undefined ? null : protagonist.explainAt(slow.at);
  const now = protagonist.explainAt(protagonist.now);
  if (slow === undefined || then === null || now === null) return null;
  return {
    customerId: protagonist.customerId,
    title: `What late payments did to ${protagonist.customerId}`,
    steps: transitions.slice(Math.max(0, index - 1), index + 1 + STEPS_AFTER).map(stepOf(protagonist)),
    remarks: [
      `From ${dateText(slow.at)} it counts as a slow payer: its invoices of a year were paid ${then.facts.dbtDays.toFixed(1)} days late on average, large ones weighing more.`,
      "A slow payer cannot be a PATRON, whatever it buys.",
    ],
    rules: {
      heading: `Rules of the tag SLOW_PAYER on ${dateText(slow.at)}`,
      checks: then.tags["SLOW_PAYER"] ?? [],
    },
    today: now,
    advice: now.lever === null ? null : `What to do with it today: ${now.lever}.`,
  };
}
