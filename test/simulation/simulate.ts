import type { Result } from "./schedule.ts";
import { Tally } from "./tally.ts";

/** Which schedules are run, and how. */
export interface Course {
  readonly from: number;
  /** May be Infinity. */
  readonly count: number;
  readonly deadlineAt: number;
  /** Ends at the first violation. */
  readonly first: boolean;
  /** What else the command needs that runs a schedule again. */
  readonly again: string;
  run(seed: number): Promise<Result>;
  say(text: string): void;
}

export interface Summary {
  readonly schedules: number;
  readonly violations: number;
  readonly firstSeed: number | null;
  readonly firstViolation: string | null;
  readonly perMinute: number;
  /** Of all the schedules, in this order. */
  readonly fingerprint: number;
  readonly tally: Tally;
  readonly text: string;
}

const SAY_EVERY_MS = 10_000;
/** Violations told one by one; a broken protocol has thousands. */
const TOLD = 5;

export function seeds(
  from: number,
  { minutes, schedules }: { readonly minutes: number; readonly schedules?: number },
): Pick<Course, "from" | "count" | "deadlineAt"> {
  return schedules === undefined
    ? { from, count: Infinity, deadlineAt: Date.now() + minutes * 60_000 }
    : { from, count: schedules, deadlineAt: Infinity };
}

/** Runs one schedule after the other and tells of each violation, with the command that shows it step by step. */
export async function simulate(course: Course): Promise<Summary> {
  const tally = new Tally();
  const started = performance.now();
  let saidAt = started;
  let violations = 0;
  let fingerprint = 0;
  let first: Result | null = null;
  course.say(`from seed ${course.from}`);
  for (let seed = course.from; seed < course.from + course.count && Date.now() < course.deadlineAt; seed++) {
    const result = await course.run(seed);
    tally.add(result.tally);
    fingerprint = (Math.imul(fingerprint, 31) + result.fingerprint) >>> 0;
    if (result.violation !== null) {
      first ??= result;
      if (++violations <= TOLD) {
        course.say(
          `seed ${seed}: ${result.violation}\n  npm run simulate -- --seed ${seed} --trace${course.again}`,
        );
      }
      if (course.first) break;
    }
    const now = performance.now();
    if (now - saidAt < SAY_EVERY_MS) continue;
    saidAt = now;
    course.say(`${tally.schedules} schedules, ${violations} violations`);
  }
  const perMinute = Math.round((tally.schedules / (performance.now() - started)) * 60_000);
  return {
    schedules: tally.schedules,
    violations,
    firstSeed: first?.seed ?? null,
    firstViolation: first?.violation ?? null,
    perMinute,
    fingerprint,
    tally,
    text: [`${violations} violations`, ...linesOf(tally), `${perMinute} schedules a minute`].join("\n"),
  };
}

/** What was done and what came of it, for people. */
function linesOf(tally: Tally): string[] {
  const { crashes, scripts, acquired } = tally;
  const points = Object.entries(crashes).map(([point, count]) => `${count} ${point}`);
  return [
    `${tally.schedules} schedules of ${tally.steps} steps: ${tally.facts} facts, ${tally.changes} changes, ${tally.deadLetters} dead letters, ${tally.referrals} referrals`,
    `${tally.kills} kills (${points.join(", ")})`,
    `${tally.freezes} freezes, ${tally.takeovers} take-overs of living owners, ${tally.lateArrivals} calls that arrived after their sender had given them up`,
    `${tally.fencedTransactions} transactions fenced; scripts: ${scripts.applied} applied, ${scripts.already} there already, ${scripts.fenced} refused by epoch, ${scripts.behind} by seq`,
    `${tally.regressions} times the store lost its last writes, ${tally.wipes} times all`,
    `shards acquired: ${acquired.fresh} fresh, ${acquired.current} as they stood, ${acquired.gap} after a silent re-fold, ${acquired.rebuild} rebuilt (${tally.astray} of them astray); ${tally.refoldedRecords} records folded again`,
    `${tally.policyChanges} changes of policy (${tally.overtakings} transactions amid one that had overtaken another), ${tally.silentStarts} silent first starts`,
  ];
}

/** A schedule step by step. */
export function traceOf({ seed, plan, trace, violation }: Result): string {
  const head = `seed ${seed}: ${JSON.stringify(plan)}`;
  return [head, ...(trace ?? []), violation ?? "no violation"].join("\n");
}
