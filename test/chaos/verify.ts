import { isDeepStrictEqual } from "node:util";
import type { SegmentChange, Transition } from "../../src/domain/change.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import { throughFor } from "../../src/pipeline/shard-clock.ts";
import { MIXED_PREFIX } from "./facts.ts";
import type { Entry } from "./ledger.ts";
import type { SeenChange, SeenRedis, SeenShard, SeenTopics, Violation } from "./observed.ts";
import { Truth } from "./truth.ts";
import type { Fact } from "../laws/reference-facts.ts";
import { checkDeadLetters, checkInputs } from "./verify-records.ts";
import { checkShard } from "./verify-state.ts";

/** What a run left behind, and what was done in it. */
export interface Evidence {
  readonly ledger: readonly Entry[];
  readonly topics: SeenTopics;
  readonly redis: SeenRedis;
  readonly partitions: number;
  /** Deadlines up to here must have been applied. */
  readonly appliedThrough: number;
}

/** How much was compared. */
export interface Verdict {
  readonly violations: readonly Violation[];
  readonly inputs: number;
  readonly customers: number;
  readonly changes: number;
  /** Customers whose whole list of changes was held against the reference's. */
  readonly exact: number;
  readonly corrections: number;
  readonly deadlineChanges: number;
  readonly tombstones: number;
  readonly deadLetters: number;
  readonly states: number;
  /** Corrections that name another change than the one before: see checkChain. */
  readonly strangeSupersedes: number;
  /** Changes that have the id of a former one because a correction had taken that one back: see isToAndFro. */
  readonly returnedIds: number;
  /** For a report: everything known of some customers with violations. */
  readonly files: ReadonlyMap<string, CustomerFile>;
}

/** What is known of a customer, for whoever looks into a violation. */
export interface CustomerFile {
  readonly events: unknown;
  readonly timeline: unknown;
  readonly changes: unknown;
  readonly state: unknown;
}

/** Customers of whom a report tells everything. */
const FILES = 20;

/** Recomputes everything from the input topics with the reference fold, and says what is not as it must be. */
export function verify({ ledger, topics, redis, partitions, appliedThrough }: Evidence): Verdict {
  const violations: Violation[] = [];
  const report = (violation: Violation): void => void violations.push(violation);
  checkInputs(ledger, topics.inputs, report);
  checkDeadLetters(ledger, topics, report);

  const truth = new Truth(factsIn(ledger, topics));
  const chains = new Map<string, SeenChange[]>();
  const ids = new Map<string, SegmentChange>();
  let returnedIds = 0;
  for (const seen of topics.changes) {
    const chain = chains.get(seen.customerId) ?? [];
    chains.set(seen.customerId, chain);
    chain.push(seen);
    const { change } = seen;
    if (change !== null) {
      const same = ids.get(change.changeId);
      if (same !== undefined && isToAndFro(chain, same, change)) returnedIds++;
      else if (same !== undefined)
        report(violationOf("doubled change", seen, { idOf: told(same) }, told(change)));
      ids.set(change.changeId, change);
    }
    if (seen.partition !== partitionOf(Buffer.from(seen.customerId), partitions))
      report(
        violationOf(
          "wrong partition",
          seen,
          partitionOf(Buffer.from(seen.customerId), partitions),
          seen.partition,
        ),
      );
  }
  const lastSegment = new Map(topics.segments.map((seen) => [seen.customerId, seen]));

  let exact = 0;
  let strangeSupersedes = 0;
  for (const customerId of new Set([...truth.customers, ...chains.keys()])) {
    const shard = partitionOf(Buffer.from(customerId), partitions);
    const seenShard = redis.shards[shard];
    const chain = chains.get(customerId) ?? [];
    if (truth.eventsOf(customerId).length > 0 && seenShard?.states.has(customerId) !== true)
      report({ kind: "lost state", customerId, expected: { shard }, found: null, at: null });
    strangeSupersedes += checkChain(customerId, chain, truth.erasuresOf(customerId), report);
    const through = throughOf(seenShard, customerId, truth.newestOf(customerId));
    const timeline = truth.timelineOf(customerId, Math.max(through, appliedThrough));
    checkLast(customerId, chain, lastSegment.get(customerId) ?? null, timeline, through, report);
    if (!customerId.startsWith(MIXED_PREFIX) && truth.erasuresOf(customerId) === 0) {
      exact++;
      checkList(customerId, chain, timeline, through, report);
    }
  }
  for (const shard of redis.shards) checkShard(shard, truth, chains, appliedThrough, report);
  for (const key of redis.strangeKeys) {
    report({ kind: "orphan key", customerId: null, expected: "only keys of shards", found: key, at: null });
  }
  const published = topics.changes.flatMap(({ change }) => change ?? []);
  return {
    violations,
    inputs: topics.inputs.length,
    customers: new Set(truth.customers).size,
    changes: published.length,
    exact,
    corrections: published.filter(({ cause }) => cause.kind === "LATE").length,
    deadlineChanges: published.filter(({ cause }) => cause.kind === "DEADLINE").length,
    tombstones: topics.changes.length - published.length,
    deadLetters: topics.deadLetters.length,
    states: redis.shards.reduce((sum, { states }) => sum + states.size, 0),
    strangeSupersedes,
    returnedIds,
    files: filesOf(violations, truth, chains, redis, partitions),
  };
}

function filesOf(
  violations: readonly Violation[],
  truth: Truth,
  chains: ReadonlyMap<string, readonly SeenChange[]>,
  redis: SeenRedis,
  partitions: number,
): Map<string, CustomerFile> {
  const customers = new Set(violations.flatMap(({ customerId }) => customerId ?? []));
  return new Map(
    [...customers].slice(0, FILES).map((customerId) => {
      const shard = redis.shards[partitionOf(Buffer.from(customerId), partitions)];
      const through = throughOf(shard, customerId, truth.newestOf(customerId));
      const changes = (chains.get(customerId) ?? []).map(({ partition, offset, appendedAt, change }) => ({
        place: `${partition}@${offset}`,
        appendedAt: new Date(appendedAt).toISOString(),
        ...(told(change) as object | null),
      }));
      const file = {
        events: truth.eventsOf(customerId),
        timeline: truth.timelineOf(customerId, through),
        changes,
        state: shard?.states.get(customerId) ?? null,
      };
      return [customerId, file];
    }),
  );
}

/**
 * S8 makes the id of a change from what it says. When a late fact takes a change back and a later one brings it about again, it
 * says the same again. Of a customer whose facts came in time that can't be.
 */
function isToAndFro(chain: readonly SeenChange[], former: SegmentChange, again: SegmentChange): boolean {
  const { customerId } = again;
  if (former.customerId !== customerId || !customerId.startsWith(MIXED_PREFIX)) return false;
  const between = chain.filter(
    ({ change }) => change !== null && change.seq > former.seq && change.seq < again.seq,
  );
  return (
    between.length > 0 &&
    [again, ...between.map(({ change }) => change)].some((each) => each?.cause.kind === "LATE")
  );
}

/** Every good fact that is in the log, once, however often it stands there. */
function factsIn(ledger: readonly Entry[], topics: SeenTopics): Fact[] {
  const inLog = new Set(topics.inputs.map(({ entry }) => entry));
  return ledger.flatMap(({ index, event, refused }) =>
    event !== null && refused === null && inLog.has(index) ? [event] : [],
  );
}

/** Up to where a customer has been evaluated: the shard's clock, or the newest fact. */
function throughOf(shard: SeenShard | undefined, customerId: string, newestAt: number): number {
  return Math.max(throughFor(shard?.clock ?? null, customerId) ?? -Infinity, newestAt);
}

/** S8: each change begins where the one before ended, and numbers grow. Returns how many corrections name a stranger. */
function checkChain(
  customerId: string,
  chain: readonly SeenChange[],
  erasures: number,
  report: (violation: Violation) => void,
): number {
  let last: SegmentChange | null = null;
  let seq = -1;
  let tombstones = 0;
  let strange = 0;
  for (const seen of chain) {
    const { change } = seen;
    if (change === null) {
      tombstones++;
      last = null;
      continue;
    }
    if (!isDeepStrictEqual(change.previous, last?.current ?? null))
      report(
        violationOf(
          "broken chain",
          seen,
          { previous: last?.current ?? null, after: told(last) },
          told(change),
        ),
      );
    if (change.seq <= seq)
      report(violationOf("seq that does not grow", seen, `more than ${seq}`, change.seq));
    if (change.supersedes !== null && change.supersedes !== last?.changeId) strange++;
    seq = Math.max(seq, change.seq);
    last = change;
  }
  if (tombstones !== erasures) {
    const at = chain.findLast(({ change }) => change === null)?.appendedAt ?? null;
    report({ kind: "tombstones", customerId, expected: erasures, found: tombstones, at });
  }
  return strange;
}

/** What was published last is what is in force. */
function checkLast(
  customerId: string,
  chain: readonly SeenChange[],
  segment: SeenTopics["segments"][number] | null,
  timeline: readonly Transition[],
  through: number,
  report: (violation: Violation) => void,
): void {
  const seen = chain.at(-1);
  const last = seen?.change ?? null;
  const inForce = timeline.findLast(({ at }) => at <= through)?.current ?? null;
  const at = seen?.appendedAt ?? null;
  if (!isDeepStrictEqual(last?.current ?? null, inForce)) {
    report({ kind: "wrong classification", customerId, expected: inForce, found: told(last), at });
  }
  const overdue = timeline.find((transition) => transition.at > through);
  if (overdue !== undefined) {
    report({
      kind: "deadline not applied",
      customerId,
      expected: overdue,
      found: told(last),
      at: overdue.at,
    });
  }
  const latest = segment?.segment ?? null;
  const expected = last === null ? null : { classification: last.current, seq: last.seq };
  const found = latest === null ? null : { classification: latest.classification, seq: latest.seq };
  if (!isDeepStrictEqual(found, expected)) {
    report({ kind: "customer-segments differs from the last change", customerId, expected, found, at });
  }
}

/** Of a customer whose facts came in time every change is known: those of the timeline, in order, each once (S7.2). */
function checkList(
  customerId: string,
  chain: readonly SeenChange[],
  timeline: readonly Transition[],
  through: number,
  report: (violation: Violation) => void,
): void {
  const expected = timeline.filter(({ at }) => at <= through);
  const found = chain.flatMap(({ change }) =>
    change === null
      ? []
      : [{ at: change.effectiveAt, previous: change.previous, current: change.current, cause: change.cause }],
  );
  if (isDeepStrictEqual(found, expected)) return;
  const first = found.findIndex((change, i) => !isDeepStrictEqual(change, expected[i]));
  const index = first < 0 ? found.length : first;
  const kind =
    found.length < expected.length
      ? "lost change"
      : found.length > expected.length
        ? "doubled change"
        : "wrong change";
  report({
    kind,
    customerId,
    expected: { changes: expected.length, differsFrom: index, there: expected[index] ?? null },
    found: { changes: found.length, there: found[index] ?? null },
    at: chain[index]?.appendedAt ?? chain.at(-1)?.appendedAt ?? null,
  });
}

function violationOf(kind: string, seen: SeenChange, expected: unknown, found: unknown): Violation {
  return { kind, customerId: seen.customerId, expected, found, at: seen.appendedAt };
}

/** As much of a change as tells it apart. */
function told(change: SegmentChange | null): unknown {
  if (change === null) return null;
  const { changeId, seq, previous, current, effectiveAt, decidedAt, cause, supersedes } = change;
  return { changeId, seq, previous, current, effectiveAt, decidedAt, cause, supersedes };
}
