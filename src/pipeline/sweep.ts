import { nextDeadline } from "../domain/fold.ts";
import { instant, type Instant } from "../shared/instant.ts";
import { compareUtf8 } from "../shared/utf8-order.ts";
import type { Batch } from "./batch.ts";
import type { StateStore } from "./ports.ts";
import type { ShardClock } from "./ports.ts";
import type { ShardSession } from "./session.ts";
import { compareClocks, endOf } from "./shard-clock.ts";

/**
 * A sweep asks the store for what comes due within this time as well, and what finds nothing spares the store the next sweeps' questions;
 * but not for longer, so that the owner of a shard without traffic notices within a second that the store has lost it.
 */
const LOOK_AHEAD_MS = 1000;

/**
 * Applies the shard's next deadlines up to `end`, in (instant, customer) order, at most about `limit` customers of them, and
 * moves the clock (A5). The store does not know yet what the commit in flight and the open batch have changed: their
 * customers are asked in memory instead.
 * @returns true when all deadlines ≤ `end` have been applied
 */
export async function sweep(
  session: ShardSession,
  batch: Batch,
  store: StateStore,
  end: ShardClock,
  limit: number,
): Promise<boolean> {
  await session.loaded();
  batch.foldAdded(session.position.clock);
  const inFlight = session.inFlight;
  const uncommitted = inFlight === null ? [batch.touched] : [inFlight.touched, batch.touched];
  const swept = new Map<string, Instant>();
  let reached = end;
  if (end.at >= session.noneDueBefore) {
    const asked = limit + uncommitted.reduce((sum, touched) => sum + touched.size, 0);
    const upTo = instant(end.at + LOOK_AHEAD_MS);
    const due = await store.due(session.shard, upTo, asked, session.held);
    await session.assureRead();
    const last = due.at(-1);
    const isAll = due.length < asked || last === undefined;
    if (!isAll) reached = earlierOf(last, end);
    const next = due.find((each) => compareClocks(each, reached) > 0)?.at ?? (isAll ? upTo + 1 : reached.at);
    // The answer may be of before the commit in flight.
    session.noneDueBefore = Math.min(next, inFlight?.noneDueBefore ?? Infinity);
    for (const { customerId, at } of due) {
      if (uncommitted.some((touched) => touched.has(customerId))) continue;
      if (compareClocks({ at, customerId }, reached) <= 0) swept.set(customerId, at);
    }
  }
  for (const touched of uncommitted) {
    // Whom both have touched the open batch knows.
    if (touched === inFlight?.touched && inFlight.noneDueBefore > reached.at) continue;
    for (const [customerId, customer] of touched) {
      const at = nextDeadline(customer, session.position.policy);
      if (at !== null && compareClocks({ at, customerId }, reached) <= 0) swept.set(customerId, at);
    }
  }
  await session.load(swept.keys());
  const inOrder = [...swept].sort(([a, x], [b, y]) => x - y || compareUtf8(a, b));
  for (const [customerId] of inOrder) batch.sweep(customerId, reached);
  session.position.advanceClock(reached);
  return compareClocks(reached, end) === 0;
}

function earlierOf(last: { at: Instant; customerId: string }, end: ShardClock): ShardClock {
  return compareClocks(last, end) < 0 ? { at: last.at, customerId: last.customerId } : end;
}

/** The end of a sweep at wall clock `now`: a silent first start tells its past apart from what comes after it. */
export function sweepEnd(session: ShardSession, now: Instant): ShardClock {
  const { silent, clock } = session.position;
  const isPast = silent !== null && (clock === null || clock.at < silent.at);
  return endOf(isPast && silent.at < now ? silent.at : now);
}
