import { instant, type Instant } from "../shared/instant.ts";
import { TAGS, type Classification, type Stage } from "./classification.ts";
import type { Cause, Facts, Next } from "./change.ts";
import { nextRung, STAGE_RANK, type Before } from "./classify.ts";
import type { Customer } from "./customer.ts";
import { lookAhead } from "./draft.ts";
import { factsOf, figuresOf, type Figures } from "./figures.ts";
import { walk } from "./history.ts";
import type { Policy } from "./policy.ts";
import {
  attentionChecks,
  capChecks,
  rungChecks,
  statusChecks,
  tagChecks,
  valueChecks,
  type Check,
} from "./rules.ts";
import { RUNGS } from "./reasons.ts";
import { Walker } from "./walker.ts";

/** A rule of a rung, value or tag, with whether it holds. */
export type ExplainedRule = Check;

/** Why a customer stands where it stands at an instant, and what would come next. */
export interface Explanation {
  readonly customerId: string;
  readonly at: Instant;
  readonly classification: Classification;
  /** The transition that led there. */
  readonly since: Instant;
  readonly cause: Cause;
  readonly status: readonly ExplainedRule[];
  /** From the lowest rung to the highest. */
  readonly stages: readonly { readonly stage: Stage; readonly rules: readonly ExplainedRule[] }[];
  /** S6.2; a rule that holds binds. */
  readonly caps: readonly ExplainedRule[];
  readonly value: readonly ExplainedRule[];
  readonly attention: readonly ExplainedRule[];
  readonly tags: Readonly<Record<string, readonly ExplainedRule[]>>;
  readonly facts: Facts;
  readonly next: Next | null;
  /** What fails for the next rung up; null on the highest. */
  readonly missing: { readonly stage: Stage; readonly rules: readonly ExplainedRule[] } | null;
  readonly lever: string | null;
}

/**
 * Explains the customer at an instant; null when nothing was known of it then, or the details of that time have been dropped
 * (S2.4). The customer is not changed.
 */
export function explain(customer: Customer, at: Instant, policy: Policy): Explanation | null {
  const walker = standAt(customer, at, policy);
  const { standing } = walker;
  if (standing === null) return null;
  const { classification } = standing;
  const before = walker.before;
  const figures = figuresOf(walker.window, before.accountSince);
  const isActive = classification.status === "ACTIVE";
  const rules = (stage: Stage): Check[] => rungChecks(stage, figures, at, isActive, before);
  return {
    customerId: customer.state.customerId,
    at,
    classification,
    since: standing.since,
    cause: standing.cause,
    status: statusChecks(figures, at),
    stages: RUNGS.map((stage) => ({ stage, rules: rules(stage) })),
    caps: capChecks(figures),
    value: valueChecks(figures, before),
    attention: attentionChecks(
      figures,
      at,
      classification.stage,
      classification.status === "INACTIVE",
      classification.value,
    ),
    tags: Object.fromEntries(TAGS.map((tag) => [tag, tagChecks(tag, figures, isActive)])),
    facts: factsOf(figures),
    next: lookAhead(walker),
    missing: missingFor(nextRung(classification.stage), figures, at, isActive, before),
    lever: figures.profileInForce.levers[classification.stage] ?? null,
  };
}

function missingFor(
  stage: Stage | null,
  figures: Figures,
  at: Instant,
  isActive: boolean,
  before: Before,
): Explanation["missing"] {
  if (stage === null) return null;
  const failing = rungChecks(stage, figures, at, isActive, before).filter(({ holds }) => !holds);
  const caps = capChecks(figures).filter(
    ({ rule, holds }) =>
      holds &&
      STAGE_RANK[stage] > STAGE_RANK[rule === "cap.overdue" || rule === "cap.dbtDays" ? "BUYER" : "ACCOUNT"],
  );
  return { stage, rules: [...failing, ...caps] };
}

/** What is in force at an instant, for `customer-segments` and segment files (I3); null when nothing was known then. */
export function segmentAt(
  customer: Customer,
  asOf: Instant,
  policy: Policy,
): { readonly classification: Classification; readonly facts: Facts; readonly next: Next | null } | null {
  const walker = standAt(customer, asOf, policy);
  if (walker.standing === null) return null;
  const figures = figuresOf(walker.window, walker.standing.accountSince);
  return { classification: walker.standing.classification, facts: factsOf(figures), next: lookAhead(walker) };
}

/** A walker at an instant, its own: a look ahead from where the fold stands, or the past folded again. */
function standAt(customer: Customer, at: Instant, policy: Policy): Walker {
  const { evaluatedAt, base } = customer.state;
  // What led to the base has been dropped: of the time before it nothing can be said any more.
  if (base !== null && at < base.at) return Walker.from(policy, null);
  if (evaluatedAt === null || at < evaluatedAt)
    return finish(
      walk(customer.state, policy, at, () => undefined),
      at,
    );
  const walker = customer.walker(policy).ahead();
  for (;;) {
    const deadlineAt = walker.nextDeadlineAt;
    if (deadlineAt > at || deadlineAt === Infinity) return finish(walker, at);
    walker.applyDeadline(deadlineAt);
  }
}

function finish(walker: Walker, at: Instant): Walker {
  walker.moveTo(instant(Math.max(walker.window.at, at)));
  return walker;
}
