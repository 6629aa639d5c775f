import { instant, type Instant } from "../shared/instant.ts";
import { nameUuid, uuidBytes } from "../shared/name-uuid.ts";
import type { Classification } from "./classification.ts";
import type { Cause, ChangeDraft, Next, Origin, SegmentChange } from "./change.ts";
import type { Before } from "./classify.ts";
import { factsOf, type Figures } from "./figures.ts";
import type { Policy } from "./policy.ts";
import { changedAxes, reasonsFor } from "./reasons.ts";
import type { Walker } from "./walker.ts";

/** The name space of change ids (S8): a fixed, arbitrary UUID. */
const CHANGE_NAMESPACE = uuidBytes("6f0c1d3e-7b52-4b8e-9d0a-2f7c5a1e9b44");

/**
 * Name-based UUID (RFC 9562 version 5): the same change computed again has the same id (S8). What comes of a re-fold has in its
 * name the id of what it follows as well (`follows`): a fact amended to and fro, or a policy, leads through the same
 * classifications at the same instant. All other changes of a customer are at instants of their own.
 */
export function changeIdOf(
  customerId: string,
  cause: Cause,
  effectiveAt: Instant,
  previous: Classification | null,
  current: Classification,
  follows: string | null,
): string {
  const ref =
    cause.ref === null || typeof cause.ref === "string" ? cause.ref : [cause.ref.topic, cause.ref.eventId];
  const parts: unknown[] = [customerId, cause.kind, ref, effectiveAt, listed(previous), listed(current)];
  if (follows !== null) parts.push(follows);
  return nameUuid(CHANGE_NAMESPACE, JSON.stringify(parts));
}

function listed(classification: Classification | null): unknown {
  if (classification === null) return null;
  const { status, stage, value, attention, tags } = classification;
  return [status, stage, value, attention, tags];
}

/**
 * What happens next if nothing else happens: deadlines only, until the first that changes something. The walker stays where it
 * is. A customer has finitely many deadlines; a step costs well below a microsecond for most.
 */
export function lookAhead(walker: Walker): Next | null {
  const ahead = walker.ahead();
  for (;;) {
    const at = ahead.nextDeadlineAt;
    if (at === Infinity) return null;
    const deadline = ahead.deadlineName;
    const transition = ahead.applyDeadline(at);
    if (transition !== null) return { at: instant(at), becomes: transition.current, deadline };
  }
}

/** What a change is explained with: the figures of an instant and what was in force just before it. */
export interface Grounds {
  readonly at: number;
  readonly figures: Figures;
  readonly before: Before;
}

/** A change to publish. `grounds`: of `effectiveAt`, unless that is settled; `walker`: now, for what comes next. */
export function draftOf(
  customerId: string,
  changeId: string,
  cause: Cause,
  effectiveAt: Instant,
  previous: Classification | null,
  current: Classification,
  { at, figures, before }: Grounds,
  walker: Walker,
  supersedes: string | null,
): ChangeDraft {
  const changed = changedAxes(previous, current);
  return {
    changeId,
    customerId,
    changed,
    previous,
    current,
    effectiveAt,
    cause,
    reasons: reasonsFor(changed, previous, current, figures, at, before),
    facts: factsOf(figures),
    next: lookAhead(walker),
    levers: figures.profileInForce.levers[current.stage] ?? null,
    supersedes,
  };
}

/** The change as it is told (S8): a draft with what whoever publishes it knows. */
export function changeOf(
  draft: ChangeDraft,
  seq: number,
  decidedAt: Instant,
  origin: Origin,
  policy: Policy,
): SegmentChange {
  return {
    changeId: draft.changeId,
    customerId: draft.customerId,
    seq,
    changed: draft.changed,
    previous: draft.previous,
    current: draft.current,
    effectiveAt: draft.effectiveAt,
    decidedAt,
    cause: draft.cause,
    reasons: draft.reasons,
    facts: draft.facts,
    next: draft.next,
    policy: { version: policy.version, hash: policy.hash },
    levers: draft.levers,
    origin,
    supersedes: draft.supersedes,
  };
}
