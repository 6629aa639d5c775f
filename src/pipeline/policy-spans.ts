import { compareUtf8 } from "../shared/utf8-order.ts";
import type { Migration, Receipt } from "./ports.ts";

/** Customers who follow each other in the order of their ids (UTF-8 bytes) and stand under one policy. */
export interface PolicySpan {
  /** Hash. */
  readonly policy: string;
  /** Greatest id that belongs to it; null: all that are left. */
  readonly through: string | null;
  /** Some may stand under another: written before it was kept what a change of policy had overtaken. */
  readonly isDoubtful?: true;
}

/**
 * Under which policies the customers of a shard stand, in the order of their ids; the last span, and only that, is open. A change
 * of policy (S7.3) goes through the customers in that order, so one that is interrupted and overtaken by another leaves a span.
 */
export type PolicySpans = readonly PolicySpan[];

/** How receipts and marks say it. */
type Recorded = Pick<Receipt, "policy" | "migrating">;

/** All customers under one. */
export function wholly(policy: string): PolicySpans {
  return [{ policy, through: null }];
}

/** The policy of the open span: of all customers, when no change is under way. */
export function openPolicy(spans: PolicySpans): string {
  const open = spans.at(-1);
  if (open === undefined) throw new Error("there is always an open span");
  return open.policy;
}

export function spansOf({ policy, migrating }: Recorded): PolicySpans {
  const spans: PolicySpan[] = [];
  let isDoubtful = false;
  for (let each: Migration | null | undefined = migrating; each; each = each.over) {
    if (each.afterCustomerId !== "") spans.push({ policy: each.to, through: each.afterCustomerId });
    isDoubtful = each.over === undefined;
  }
  spans.push({ policy, through: null, ...(isDoubtful ? { isDoubtful } : {}) });
  return spans;
}

/** The inverse of `spansOf`. */
export function recorded(spans: PolicySpans): Recorded {
  const policy = openPolicy(spans);
  const isDoubtful = spans.at(-1)?.isDoubtful === true;
  let migrating: Migration | null = null;
  for (const { policy: to, through } of spans.toReversed()) {
    if (through === null) continue;
    const node: Migration = { to, afterCustomerId: through };
    migrating = migrating === null && isDoubtful ? node : { ...node, over: migrating };
  }
  // Nobody has come so far as to be sure.
  if (migrating === null && isDoubtful) migrating = { to: policy, afterCustomerId: "" };
  return { policy, migrating };
}

/** The first customers who do not stand where they are to, and under which policy they are to; null: all do. */
export function firstDifference(
  spans: PolicySpans,
  target: PolicySpans,
): { readonly after: string; readonly through: string | null; readonly policy: string } | null {
  let after = "";
  for (const { policy, through, isDoubtful } of target) {
    const differs = (span: PolicySpan): boolean =>
      span.policy !== policy || (span.isDoubtful === true && isDoubtful !== true);
    for (const span of spans) {
      if (!reachesBeyond(span, after)) continue;
      const end = lesser(span.through, through);
      if (differs(span)) return { after, through: end, policy };
      if (end === null) return null;
      after = end;
      if (end === through) break;
    }
  }
  return null;
}

/** As `target` up to a customer (null: all), as `spans` beyond. */
export function broughtTo(target: PolicySpans, through: string | null, spans: PolicySpans): PolicySpans {
  if (through === null) return target;
  const done: PolicySpan[] = [];
  for (const span of target) {
    const isLast = span.through === null || compareUtf8(span.through, through) >= 0;
    done.push(isLast ? { policy: span.policy, through } : span);
    if (isLast) break;
  }
  return merged([...done, ...spans.filter((span) => reachesBeyond(span, through))]);
}

/** With the first span grown over the second. */
export function firstGrown([first, second, ...others]: PolicySpans): PolicySpans {
  if (first === undefined || second === undefined) throw new Error("there are not two spans");
  return merged([{ ...second, policy: first.policy }, ...others]);
}

/** Neighbours under the same policy are one. */
function merged(spans: PolicySpans): PolicySpans {
  return spans.filter(({ policy }, i) => {
    const next = spans[i + 1];
    return next === undefined || next.policy !== policy || next.isDoubtful === true;
  });
}

function reachesBeyond({ through }: PolicySpan, customerId: string): boolean {
  return through === null || compareUtf8(through, customerId) > 0;
}

function lesser(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return compareUtf8(a, b) <= 0 ? a : b;
}
