import type { Policy } from "../domain/policy.ts";
import { compareUtf8 } from "../shared/utf8-order.ts";
import type { Batch } from "./batch.ts";
import { RetriableError } from "./errors.ts";
import { Merge } from "./merge.ts";
import type { ShardDeps } from "./options.ts";
import type { Committed, Receipt } from "./ports.ts";
import type { ShardSession } from "./session.ts";
import { compareClocks } from "./shard-clock.ts";
import { sweep } from "./sweep.ts";

/** Customers re-folded under another policy in one batch. */
const REPOLICY_CUSTOMERS = 500;

/**
 * The silent re-fold of A4: brings a state that lies behind to the receipt, without output, in batches that may each be the
 * last one before a crash. Order: policy, then all inputs below the receipt's offsets, then all deadlines up to its clock,
 * then how far a change of policy had come. Only the last batch says `published`.
 */
export async function refold(
  deps: ShardDeps,
  session: ShardSession,
  committed: Committed,
  policyOf: (hash: string) => Policy,
  signal: AbortSignal,
): Promise<void> {
  const { receipt } = committed;
  const silently = (batch: Batch): Promise<void> =>
    session.seal(batch, { silent: true, published: session.published });
  let records = 0;

  if (session.policy.hash !== receipt.policy || isOtherMigration(session.migrating, receipt.migrating)) {
    await repolicyAll(deps, session, policyOf(receipt.policy), null, {
      quiet: true,
      store: silently,
      signal,
    });
  }

  const merge = new Merge(session.log, deps.decoder, committed.offsets);
  const since = deps.clock.now();
  for (;;) {
    await giveUpIfAborted(session, signal);
    const merged = await merge.take(deps.options.batchRecords, since);
    if (merged.length > 0) {
      const batch = session.open(true);
      await session.foldAll(batch, merged);
      records += merged.length;
      await silently(batch);
      continue;
    }
    if (merge.isDrained(since)) break;
    await waitForLog(deps, session, signal);
  }
  session.skipTo(committed.offsets);

  const clock = receipt.clock;
  while (clock !== null && compareClocks(session.clock, clock) < 0) {
    await giveUpIfAborted(session, signal);
    await session.settle();
    const batch = session.open(true);
    await sweep(session, batch, deps.store, clock, deps.options.sweepCustomers);
    await silently(batch);
  }

  if (receipt.migrating !== null) {
    const { to, afterCustomerId } = receipt.migrating;
    await repolicyAll(deps, session, policyOf(to), afterCustomerId, { quiet: true, store: silently, signal });
  }

  await session.settle();
  await session.seal(session.open(true), { silent: true, published: receipt.seq });
  await session.settle();
  session.cache.clear();
  deps.telemetry.refolded(records);
}

/**
 * Re-folds the shard's customers under another policy, in the order of their ids, on from where it was interrupted (S7.3).
 * Nothing else is folded meanwhile. `last`: stop after this customer (a silent re-fold of a migration that had come so far);
 * null: all, and the policy is the shard's from then on.
 */
export async function repolicyAll(
  deps: ShardDeps,
  session: ShardSession,
  policy: Policy,
  last: string | null,
  how: { readonly quiet: boolean; store(batch: Batch): Promise<void>; readonly signal: AbortSignal },
): Promise<void> {
  const from = session.policy;
  let migrating: NonNullable<Receipt["migrating"]> =
    session.migrating?.to === policy.hash ? session.migrating : { to: policy.hash, afterCustomerId: "" };
  session.cache.clear();
  if (!how.quiet) {
    // The text first: after a crash between the first transaction under the new policy and its script, whoever still has the
    // former one must be able to read what was published.
    session.setPolicy(from, migrating, policy);
    await session.seal(session.open(true), { silent: true, published: session.published });
  }
  for (;;) {
    await giveUpIfAborted(session, how.signal);
    await session.settle();
    const customers = await deps.store.customers(
      session.shard,
      migrating.afterCustomerId,
      REPOLICY_CUSTOMERS,
      session.held,
    );
    await session.assureRead();
    const wanted = last === null ? customers : customers.filter((id) => compareUtf8(id, last) <= 0);
    const final = wanted.at(-1);
    if (final === undefined) break;
    await session.load(wanted, policy);
    const batch = session.open(how.quiet, policy);
    for (const customerId of wanted) batch.repolicy(customerId, session.clock);
    migrating = { to: policy.hash, afterCustomerId: final };
    session.setPolicy(from, migrating, policy);
    await how.store(batch);
    if (last !== null && final === last) break;
  }
  if (last === null) {
    session.setPolicy(policy, null, policy);
    await how.store(session.open(how.quiet));
    await session.settle();
  }
  session.cache.clear();
}

/**
 * The state was on its way to another policy, or further on its way, than the output was when it ended: that change of policy has
 * been taken back since, and so must what it did to the state.
 */
function isOtherMigration(state: Receipt["migrating"], output: Receipt["migrating"]): boolean {
  if (state === null || state.afterCustomerId === "") return false;
  return state.to !== output?.to || compareUtf8(state.afterCustomerId, output.afterCustomerId) > 0;
}

async function waitForLog(deps: ShardDeps, session: ShardSession, signal: AbortSignal): Promise<void> {
  const abort = new AbortController();
  const either = AbortSignal.any([abort.signal, signal]);
  await Promise.race([session.log.changed(either), deps.clock.sleep(1000, either)]);
  abort.abort();
}

/** A shard that is to be left must not hold its successor up: what has been stored is where that one goes on. */
async function giveUpIfAborted(session: ShardSession, signal: AbortSignal): Promise<void> {
  if (!signal.aborted) return;
  await session.settle();
  throw new RetriableError(
    "STOPPED",
    `shard ${session.shard} is being left before it was brought up to date`,
  );
}
