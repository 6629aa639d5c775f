import type { Cause, EventRef, Next, Transition } from "../../../domain/change.ts";
import type { Classification } from "../../../domain/classification.ts";
import type { Explanation, ExplainedRule } from "../../../domain/explain.ts";
import { explain } from "../../../domain/explain.ts";
import type { Customer } from "../../../domain/customer.ts";
import type { Policy } from "../../../domain/policy.ts";
import { timeline } from "../../../domain/timeline.ts";
import type { Instant } from "../../../shared/instant.ts";
import { causeText, factText } from "../cause-text.ts";
import type { PublishedChange } from "../chronicle.ts";

/** The customer a story is about, with all that it is told from. */
export interface Protagonist {
  readonly customerId: string;
  /** Every transition up to now as if all facts had come in time (S7). */
  readonly transitions: readonly Transition[];
  /** What subscribers were told, in order. */
  readonly published: readonly PublishedChange[];
  readonly now: Instant;
  readonly currency: string;
  explainAt(at: Instant): Explanation | null;
  /** What a fact of the customer tells; null: it is not there. */
  factText(ref: EventRef): string | null;
}

/** One change of a story's course. */
export interface Step {
  readonly at: Instant;
  readonly previous: Classification | null;
  readonly current: Classification;
  readonly why: string;
}

/** A story as data; how it looks is another matter. */
export interface Story {
  readonly customerId: string;
  readonly title: string;
  readonly steps: readonly Step[];
  /** What the steps and rules mean, each a sentence. */
  readonly remarks: readonly string[];
  readonly rules: { readonly heading: string; readonly checks: readonly ExplainedRule[] } | null;
  /** What holds today, and the next transition if nothing else happens; null: none. */
  readonly today: { readonly classification: Classification; readonly next: Next | null };
  /** A sentence on what could be done. */
  readonly advice: string | null;
}

/** A kind of story: whom it could be about, and how it goes. */
export interface StoryKind {
  readonly name: string;
  /** Told when nobody in the run lived it. */
  readonly absence: string;
  /** How well a customer's published changes fit; 0: not at all. The best fit is asked first. */
  fit(changes: readonly PublishedChange[]): number;
  /** null: the customer's own timeline does not bear the story out after all. */
  tell(protagonist: Protagonist): Story | null;
}

export function protagonistOf(
  customer: Customer,
  published: readonly PublishedChange[],
  policy: Policy,
  now: Instant,
): Protagonist {
  const { state } = customer;
  return {
    customerId: state.customerId,
    transitions: timeline(customer, now, policy),
    published,
    now,
    currency: policy.baseCurrency,
    explainAt: (at) => explain(customer, at, policy),
    factText: (ref) => factText(state, ref, policy.baseCurrency),
  };
}

/** Tells a transition as a step of the protagonist's story. */
export function stepOf(protagonist: Pick<Protagonist, "factText">): (transition: Transition) => Step {
  return ({ at, previous, current, cause }) => ({ at, previous, current, why: whyText(protagonist, cause) });
}

/** Tells what was published as a step of the protagonist's story. */
export function publishedStep(
  protagonist: Pick<Protagonist, "factText">,
): (published: PublishedChange) => Step {
  return ({ change: { effectiveAt, previous, current, cause } }) => ({
    at: effectiveAt,
    previous,
    current,
    why: whyText(protagonist, cause),
  });
}

function whyText({ factText: tell }: Pick<Protagonist, "factText">, cause: Cause): string {
  const text = causeText(cause, tell);
  if (cause.kind === "DEADLINE") return `time alone: ${text}`;
  return cause.kind === "LATE" ? `told late: ${text}` : text;
}
