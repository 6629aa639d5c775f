import { FACT_TOPICS } from "../domain/events.ts";
import { RefusedError, RetriableError } from "./errors.ts";
import { KnownPolicies } from "./known-policies.ts";
import { provenanceOf, refuseOtherLog } from "./log-identity.ts";
import type { ShardDeps } from "./options.ts";
import { spansOf, wholly } from "./policy-spans.ts";
import type { Committed, Marks, Offsets, Receipt, ShardLog, StateStore } from "./ports.ts";
import { refold } from "./refold.ts";
import { ShardSession } from "./session.ts";
import { compareClocks } from "./shard-clock.ts";
import type { StartPosition } from "./shard-position.ts";
import { storeMoved } from "./store-moved.ts";
import type { AcquiredPath } from "./telemetry.ts";

/** A session whose shard stands where its output does. */
interface Acquired {
  readonly session: ShardSession;
  readonly path: AcquiredPath;
}

type Found =
  | { readonly path: "fresh"; readonly committed: Committed | null }
  | { readonly path: "current" | "gap"; readonly committed: Committed; readonly marks: Marks }
  | { readonly path: "rebuild"; readonly committed: Committed; readonly why: string };

/**
 * Takes a shard over: the store's epoch first, then the fence, only then the receipt; brings the state silently to where the
 * output stands; leaves the log reading on from there. May be interrupted at any point and done again. `damage`: what a former
 * attempt found wrong with the state, which is then taken as lost.
 */
export async function acquire(
  deps: ShardDeps,
  shard: number,
  log: ShardLog,
  signal: AbortSignal,
  damage: string | null = null,
): Promise<Acquired> {
  refuseOtherState(shard, log, await deps.store.peek(shard));
  const acquired = await deps.store.acquire(shard);
  try {
    return await bringUp(deps, shard, log, acquired, damage, signal);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    // What the store said is old if another owner came in between: then nothing is wrong but this race.
    if ((await deps.store.position(shard)).epoch === acquired.epoch) throw error;
    throw new RetriableError("STATE_MOVED", `shard ${shard} was taken over`, error);
  }
}

async function bringUp(
  deps: ShardDeps,
  shard: number,
  log: ShardLog,
  acquired: Awaited<ReturnType<StateStore["acquire"]>>,
  damage: string | null,
  signal: AbortSignal,
): Promise<Acquired> {
  const { epoch, marks, policyText } = acquired;
  const committed = await log.fence();
  // Whoever has taken the store since may have fenced this one's producer or not: both must be had by one, or what the one stores
  // without a transaction and what the other publishes part.
  const { epoch: held } = await deps.store.position(shard);
  if (held !== epoch) throw storeMoved(shard, { epoch: held });
  refuseOtherState(shard, log, marks);
  if (log.identity !== undefined)
    refuseOtherLog(`the committed position of shard ${shard}`, committed?.receipt.log, log.identity);
  const found = compare(shard, marks, committed, acquired.damage ?? damage);
  const policies = new KnownPolicies(deps, shard, policyText);
  const begin = async (
    path: AcquiredPath,
    position: StartPosition,
    toOutput: (session: ShardSession) => Promise<void>,
  ): Promise<Acquired> => {
    const session = new ShardSession(deps, shard, log, epoch, position, policies);
    try {
      await toOutput(session);
    } catch (error) {
      await session.end();
      throw error;
    }
    return { session, path };
  };

  switch (found.path) {
    case "fresh":
      return begin("fresh", await startFresh(deps, shard, log, found.committed, epoch), async (session) => {
        // The first marks stand before anything is published: without them a crash in the first batch looks like a loss of state.
        await session.seal(session.open(true), { silent: true, published: 0 });
        await session.settle();
        await log.seek(session.position.offsets);
      });
    case "current":
      return begin("current", positionAt(found.marks, found.committed.receipt), (session) =>
        log.seek(session.position.offsets),
      );
    case "gap":
      return begin("gap", positionAt(found.marks, found.committed.receipt), async (session) => {
        await log.seek(session.position.offsets);
        await refold(deps, session, found.committed, signal);
      });
    case "rebuild": {
      const { receipt } = found.committed;
      if (deps.options.onStateLoss !== "rebuild") {
        throw new RefusedError(
          "STATE_LOST",
          `shard ${shard}: ${found.why}, but changes up to seq ${receipt.seq} have been published. ` +
            "Restore the state store, or set CLIENTELA_ON_STATE_LOSS=rebuild to fold the topics again from their start without publishing twice",
        );
      }
      // First what may be refused: then what is left of the state is still there for who looks into it.
      policies.assure(spansOf(receipt));
      await log.seek({});
      refuseTrimmed(shard, log, receipt.begin ?? {});
      deps.logger.warn({ shard, why: found.why }, "state lost, rebuilding from the start of the log");
      await clear(deps, shard, epoch);
      const nowhere: StartPosition = {
        storeSeq: 0,
        nextSeq: receipt.seq + 1,
        offsets: {},
        clock: null,
        published: 0,
        spans: wholly(receipt.policy),
        silent: receipt.silentBelow,
        provenance: receipt,
      };
      return begin("rebuild", nowhere, (session) => refold(deps, session, found.committed, signal));
    }
  }
}

/** A store that serves another application under the same id is left as it is. */
function refuseOtherState(shard: number, log: ShardLog, marks: Marks | null): void {
  if (log.identity !== undefined) refuseOtherLog(`the state of shard ${shard}`, marks?.log, log.identity);
}

function compare(
  shard: number,
  marks: Marks | null,
  committed: Committed | null,
  damage: string | null,
): Found {
  if (committed === null) {
    if (marks === null && damage === null) return { path: "fresh", committed };
    const held = marks === null ? `states, but ${damage ?? ""}` : `marks (seq ${marks.seq})`;
    throw new RefusedError(
      "OFFSETS_LOST",
      `shard ${shard}: the state store has ${held}, and the consumer group has no committed offsets with a receipt: ` +
        "they were reset by a tool or expired. Restore them, or start under a fresh CLIENTELA_APPLICATION_ID, which replays the topics",
    );
  }
  const { receipt, offsets } = committed;
  if (damage !== null) {
    if (receipt.seq === 0) return { path: "fresh", committed };
    return { path: "rebuild", committed, why: `the state is damaged (${damage})` };
  }
  if (marks === null) {
    if (receipt.seq === 0) return { path: "fresh", committed };
    return { path: "rebuild", committed, why: "the state store has no marks" };
  }
  if (marks.published === receipt.seq) return { path: "current", committed, marks };
  const isBehind =
    marks.published < receipt.seq &&
    FACT_TOPICS.every((topic) => (marks.offsets[topic] ?? 0) <= (offsets[topic] ?? 0)) &&
    compareClocks(marks.clock, receipt.clock) <= 0;
  if (isBehind) return { path: "gap", committed, marks };
  return {
    path: "rebuild",
    committed,
    why: `the state is astray (it contains seq ${marks.published}, the output ends at seq ${receipt.seq})`,
  };
}

/** A shard that has published nothing: its first transaction says so before the store gets its first mark (A4). */
async function startFresh(
  deps: ShardDeps,
  shard: number,
  log: ShardLog,
  committed: Committed | null,
  epoch: number,
): Promise<StartPosition> {
  // Whatever stands there without marks is no state of this shard.
  await clear(deps, shard, epoch);
  let started = committed;
  if (started === null) {
    await log.seek({});
    const offsets: Offsets = Object.fromEntries(FACT_TOPICS.map((topic) => [topic, log.position(topic)]));
    const silentBelow =
      deps.options.firstStart === "silent" ? { offsets: await log.ends(), at: deps.clock.now() } : null;
    const begin = begunAt(offsets);
    const receipt: Receipt = {
      seq: 0,
      clock: null,
      policy: deps.policy.hash,
      migrating: null,
      silentBelow,
      ...provenanceOf(log, begin === null ? {} : { begin }),
    };
    started = { offsets, receipt };
    await log.commit({ changes: [], segments: [], referrals: [], deadLetters: [] }, started);
  }
  return {
    storeSeq: 0,
    nextSeq: 1,
    offsets: started.offsets,
    clock: null,
    published: 0,
    spans: wholly(deps.policy.hash),
    silent: started.receipt.silentBelow,
    provenance: started.receipt,
  };
}

/** Topics whose first records were gone already when the shard began; null: none. */
function begunAt(offsets: Offsets): Offsets | null {
  const late = Object.entries(offsets).filter(([, offset]) => offset > 0);
  return late.length === 0 ? null : Object.fromEntries(late);
}

async function clear({ store }: ShardDeps, shard: number, epoch: number): Promise<void> {
  const { kind } = await store.clear(shard, epoch);
  if (kind !== "applied") throw new RetriableError("STATE_MOVED", `shard ${shard} was taken over`);
}

function positionAt(marks: Marks, receipt: Receipt): StartPosition {
  return {
    storeSeq: marks.seq,
    nextSeq: Math.max(marks.seq, receipt.seq) + 1,
    offsets: marks.offsets,
    clock: marks.clock,
    published: marks.published,
    spans: spansOf(marks),
    silent: marks.silentBelow,
    provenance: receipt,
  };
}

function refuseTrimmed(shard: number, log: ShardLog, begin: Offsets): void {
  for (const topic of FACT_TOPICS) {
    const first = log.position(topic);
    const needed = begin[topic] ?? 0;
    if (first > needed && log.buffered(topic).every((record) => record.offset > needed)) {
      throw new RefusedError(
        "LOG_TRIMMED",
        `shard ${shard}: the state must be rebuilt from offset ${needed} of the topics on, but ${topic}-${shard} starts at offset ${first}: what came before it is gone. ` +
          "Restore the topic or the state store, or start under a fresh CLIENTELA_APPLICATION_ID on what is left",
      );
    }
  }
}
