import { ClientelaError } from "../../src/pipeline/errors.ts";
import type { StateCommitResult } from "../../src/pipeline/ports.ts";
import type { AcquiredPath } from "../../src/pipeline/telemetry.ts";
import type { Call } from "./ports.ts";
import type { Process } from "./scheduler.ts";

/** The crash points that A4 names. */
export const CRASH_POINTS = [
  "before the transaction",
  "after its commit",
  "before the script",
  "after the script",
  "during acquire",
  "during the silent re-fold",
  "elsewhere",
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

/** What was done to the protocol, and what it did. */
export class Tally {
  schedules = 0;
  steps = 0;
  facts = 0;
  changes = 0;
  deadLetters = 0;
  referrals = 0;
  readonly crashes: Record<CrashPoint, number> = {
    "before the transaction": 0,
    "after its commit": 0,
    "before the script": 0,
    "after the script": 0,
    "during acquire": 0,
    "during the silent re-fold": 0,
    elsewhere: 0,
  };
  kills = 0;
  freezes = 0;
  takeovers = 0;
  lateArrivals = 0;
  /** Transactions of a producer that had been fenced. */
  fencedTransactions = 0;
  readonly scripts: Record<StateCommitResult["kind"], number> = {
    applied: 0,
    already: 0,
    fenced: 0,
    behind: 0,
  };
  regressions = 0;
  wipes = 0;
  readonly acquired: Record<AcquiredPath, number> = { fresh: 0, current: 0, gap: 0, rebuild: 0 };
  /** Rebuilt because the state was neither at the receipt nor behind it. */
  astray = 0;
  refoldedRecords = 0;
  /** Sent in silent re-folds, also in those that came to no end. */
  refoldScripts = 0;
  policyChanges = 0;
  /** Transactions amid a change of policy that had overtaken another. */
  overtakings = 0;
  silentStarts = 0;

  crash(stage: Process["stage"], call: Call, when: "before" | "after"): void {
    this.kills++;
    this.crashes[crashPoint(stage, call, when)]++;
  }

  script(kind: StateCommitResult["kind"]): void {
    this.scripts[kind]++;
  }

  refused(error: unknown): void {
    if (error instanceof ClientelaError && error.code === "FENCED") this.fencedTransactions++;
  }

  add(other: Tally): void {
    addInto(this as unknown as Counts, other as unknown as Counts);
  }
}

interface Counts {
  [name: string]: number | Counts;
}

function addInto(sum: Counts, other: Counts): void {
  for (const [name, count] of Object.entries(other)) {
    const before = sum[name];
    if (typeof count === "number") sum[name] = (typeof before === "number" ? before : 0) + count;
    else if (typeof before === "object") addInto(before, count);
  }
}

function crashPoint(stage: Process["stage"], call: Call, when: "before" | "after"): CrashPoint {
  if (stage === "acquire") return "during acquire";
  if (stage === "re-fold") return "during the silent re-fold";
  if (call === "transaction") return when === "before" ? "before the transaction" : "after its commit";
  if (call === "script") return when === "before" ? "before the script" : "after the script";
  return "elsewhere";
}
