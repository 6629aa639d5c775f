import { compareUtf8 } from "../shared/utf8-order.ts";
import type { Batch } from "./batch.ts";
import { RetriableError } from "./errors.ts";
import type { ShardDeps } from "./options.ts";
import { broughtTo, firstDifference, firstGrown, wholly, type PolicySpans } from "./policy-spans.ts";
import type { ShardSession } from "./session.ts";

/**
 * Changes of policy that a receipt may tell of at once, each interrupted by the next: its text must stay below what brokers take
 * (4096 bytes, `offset.metadata.max.bytes`), and an id of 512 bytes is in each.
 */
export const MOST_MIGRATIONS = 2;

/** Customers re-folded under another policy in one batch. */
const REPOLICY_CUSTOMERS = 500;

interface How {
  /** Nothing is published. */
  readonly quiet: boolean;
  store(batch: Batch): Promise<void>;
  readonly signal: AbortSignal;
}

/** Re-folds all customers under the process's policy, and publishes what changes by it (S7.3); returns when all stand under it. */
export async function changePolicy(
  deps: ShardDeps,
  session: ShardSession,
  signal: AbortSignal,
): Promise<void> {
  const { policy, logger } = deps;
  const { position } = session;
  const target = wholly(policy.hash);
  if (firstDifference(position.spans, target) === null) return;
  logger.info({ shard: session.shard, from: position.policy.version, to: policy.version }, "policy changed");
  const loudly: How = {
    quiet: false,
    store: (batch) => session.seal(batch, { refresh: true }),
    signal,
  };
  // The text first: after a crash between the first transaction under the new policy and its script, whoever still has the
  // former one must be able to read what was published.
  position.keepTextsOf(target);
  await session.seal(session.open(true), { silent: true, published: position.published });
  // Where one more would be too many, the last goes on until it has passed the one before it.
  while (position.spans.length > MOST_MIGRATIONS) {
    await repolicyTo(deps, session, firstGrown(position.spans), loudly);
  }
  await repolicyTo(deps, session, target, loudly);
}

/**
 * Brings the customers under the policies of `target`, in the order of their ids, those only that stand elsewhere. Nothing else is
 * folded meanwhile. May be interrupted after each batch.
 */
export async function repolicyTo(
  deps: ShardDeps,
  session: ShardSession,
  target: PolicySpans,
  how: How,
): Promise<void> {
  const { position } = session;
  session.cache.clear();
  for (;;) {
    const gap = firstDifference(position.spans, target);
    if (gap === null) break;
    await giveUpIfAborted(session, how.signal);
    await session.settle();
    const found = await deps.store.customers(session.shard, gap.after, REPOLICY_CUSTOMERS, session.held);
    await session.assureRead();
    const { through } = gap;
    const customers = through === null ? found : found.filter((id) => compareUtf8(id, through) <= 0);
    const policy = session.policies.of(gap.policy);
    await session.load(customers, policy);
    const batch = session.open(how.quiet, policy);
    for (const customerId of customers) batch.repolicy(customerId, position.clock);
    // A page may be short: only an empty one says that nobody is left.
    const reached = customers.length < found.length ? through : (found.at(-1) ?? null);
    position.standUnder(broughtTo(target, reached, position.spans));
    await how.store(batch);
  }
  await session.settle();
  session.cache.clear();
}

/** A shard that is to be left must not hold its successor up: what has been stored is where that one goes on. */
export async function giveUpIfAborted(session: ShardSession, signal: AbortSignal): Promise<void> {
  if (!signal.aborted) return;
  await session.settle();
  throw new RetriableError(
    "STOPPED",
    `shard ${session.shard} is being left before it was brought up to date`,
  );
}
