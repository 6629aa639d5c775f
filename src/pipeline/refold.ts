import { FACT_TOPICS } from "../domain/events.ts";
import type { Batch } from "./batch.ts";
import { RefusedError } from "./errors.ts";
import { Merge } from "./merge.ts";
import type { ShardDeps } from "./options.ts";
import { spansOf, wholly } from "./policy-spans.ts";
import type { Committed } from "./ports.ts";
import { giveUpIfAborted, repolicyTo } from "./repolicy.ts";
import type { ShardSession } from "./session.ts";
import { compareClocks } from "./shard-clock.ts";
import { sweep } from "./sweep.ts";

/**
 * The silent re-fold of A4: brings a state that lies behind to the receipt, without output, in batches that may each be the
 * last one before a crash. Order: policy, then all inputs below the receipt's offsets, then all deadlines up to its clock,
 * then how far changes of policy had come. Only the last batch says `published`.
 */
export async function refold(
  deps: ShardDeps,
  session: ShardSession,
  committed: Committed,
  signal: AbortSignal,
): Promise<void> {
  const { receipt } = committed;
  const target = spansOf(receipt);
  session.policies.assure(target);
  session.position.keepTextsOf(target);
  const silently = (batch: Batch): Promise<void> =>
    session.seal(batch, { silent: true, published: session.position.published });
  const how = { quiet: true, store: silently, signal };
  let records = 0;
  // Nothing is folded while a change of policy is under way: what the state lacks came after those that it tells of, and before
  // those that the receipt does.
  if (isBehind(session, committed)) {
    await repolicyTo(deps, session, wholly(receipt.policy), how);
    records = await foldUpTo(deps, session, committed, silently, signal);
  }
  // A state of before all of these goes through each: its changes were published, and what comes next is named after them (S8).
  const steps = session.position.spans.length === 1 ? target.map((_, i) => target.slice(-1 - i)) : [target];
  for (const step of steps) await repolicyTo(deps, session, step, how);
  await session.seal(session.open(true), { silent: true, published: receipt.seq });
  await session.settle();
  session.cache.clear();
  deps.telemetry.refolded(records);
}

function isBehind({ position: { offsets, clock } }: ShardSession, committed: Committed): boolean {
  const isAtEnd = FACT_TOPICS.every((topic) => (offsets[topic] ?? 0) === (committed.offsets[topic] ?? 0));
  return !isAtEnd || compareClocks(clock, committed.receipt.clock) < 0;
}

/** All inputs first, then all deadlines; returns how many records there were. */
async function foldUpTo(
  deps: ShardDeps,
  session: ShardSession,
  { offsets, receipt: { clock } }: Committed,
  store: (batch: Batch) => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  let records = 0;
  const merge = new Merge(session.log, deps.decoder, offsets);
  const since = deps.clock.now();
  for (;;) {
    await giveUpIfAborted(session, signal);
    const merged = await merge.take(deps.options.batchRecords, since);
    if (merged.length > 0) {
      const batch = session.open(true);
      await session.add(batch, merged);
      records += merged.length;
      await store(batch);
      continue;
    }
    if (merge.isDrained(since)) break;
    await waitForLog(deps, session, signal);
  }
  // Whatever the log believes of its end: a record that is skipped here is one that nobody folds.
  const short = merge.shortOfLimit();
  if (short !== null) {
    throw new RefusedError(
      "OFFSET_OUT_OF_RANGE",
      `shard ${session.shard}: ${short.topic} ends at offset ${short.position}, but records up to ${short.limit} were folded before: ` +
        "the topic has lost its end. Restore it, or start under a fresh CLIENTELA_APPLICATION_ID on what is left",
    );
  }
  session.position.skipTo(offsets);

  while (clock !== null && compareClocks(session.position.clock, clock) < 0) {
    await giveUpIfAborted(session, signal);
    await session.settle();
    const batch = session.open(true);
    await sweep(session, batch, deps.store, clock, deps.options.sweepCustomers);
    await store(batch);
  }
  return records;
}

async function waitForLog(deps: ShardDeps, session: ShardSession, signal: AbortSignal): Promise<void> {
  const abort = new AbortController();
  const either = AbortSignal.any([abort.signal, signal]);
  await Promise.race([session.log.changed(either), deps.clock.sleep(1000, either)]);
  abort.abort();
}
