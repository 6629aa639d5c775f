import type { CustomerSegment, Next, SegmentChange, Transition } from "../domain/change.ts";
import type { DeadLetterReason } from "../domain/events.ts";
import { toIso, type Instant } from "../shared/instant.ts";

function iso(at: Instant | null): string | null {
  return at === null ? null : toIso(at);
}

function nextLine(next: Next | null): object | null {
  return next === null ? null : { at: toIso(next.at), becomes: next.becomes, deadline: next.deadline };
}

function factsLine(facts: SegmentChange["facts"]): object {
  return {
    ...facts,
    firstOccasionAt: iso(facts.firstOccasionAt),
    lastOccasionAt: iso(facts.lastOccasionAt),
    lapseAt: iso(facts.lapseAt),
    accountSince: iso(facts.accountSince),
  };
}

/** A line of a changes file (S8, I3); a tombstone has the customer alone. */
export function changeLine(customerId: string, change: SegmentChange | null): object {
  if (change === null) return { customerId, tombstone: true };
  return {
    ...change,
    effectiveAt: toIso(change.effectiveAt),
    decidedAt: toIso(change.decidedAt),
    facts: factsLine(change.facts),
    next: nextLine(change.next),
  };
}

export function segmentLine(segment: CustomerSegment): object {
  const { customerId, asOf, classification, facts, next, seq, policy } = segment;
  return {
    customerId,
    asOf: toIso(asOf),
    classification,
    facts: factsLine(facts),
    next: nextLine(next),
    seq,
    policy,
  };
}

export function timelineLine({
  customerId,
  at,
  previous,
  current,
  cause,
}: Transition & { customerId: string }): object {
  return { customerId, at: toIso(at), previous, current, cause };
}

/** A line of a dead-letters file; what could be read as JSON stays JSON, the rest is base64. */
export function deadLetterLine(
  source: { readonly file: string; readonly line: number },
  value: Buffer,
  reason: DeadLetterReason,
  message: string,
): object {
  const event = jsonOf(value);
  return event === undefined
    ? { reason, message, source, raw: value.toString("base64") }
    : { reason, message, source, event };
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}
