import type { Random } from "../../src/app/simulation/random.ts";
import type { ShardOptions } from "../../src/pipeline/options.ts";
import type { Weather } from "./ports.ts";

/** What may happen in a schedule. */
export interface Plan {
  readonly shards: number;
  /** Facts that come long after they happened. */
  readonly late: boolean;
  /** Orders that name a referrer, who may live in another shard. */
  readonly referrals: boolean;
  /** What the store may lose. */
  readonly loss: "nothing" | "suffix" | "all";
  /** Processes with another policy take over, again and again, also while a change of policy is under way. */
  readonly policyChange: boolean;
  /** The first start finds a history that it must not tell of (I6). */
  readonly silentStart: boolean;
  readonly weather: Weather;
  readonly options: Pick<ShardOptions, "batchRecords" | "sweepCustomers" | "cacheBytes" | "refreshMs">;
  /** Shares per step. */
  readonly disturbances: { readonly owners: number; readonly losses: number; readonly policies: number };
}

export function drawPlan(random: Random): Plan {
  const shards = random.chance(0.2) ? 2 : 1;
  // Now and then all is arranged for a former owner to write after its successor has been forgotten (A4: astray).
  const isForAstray = random.chance(0.08);
  const loss = isForAstray
    ? "suffix"
    : random.pick(["nothing", "nothing", "suffix", "suffix", "all"] as const);
  const policyChange = random.chance(0.2);
  return {
    shards,
    late: isForAstray || random.chance(0.45),
    referrals: shards === 2 || random.chance(0.1),
    loss,
    policyChange,
    silentStart: random.chance(0.1),
    weather: {
      writeFaults: random.pick([0.02, 0.06, 0.12]),
      readFaults: random.pick([0.005, 0.02]),
      lateUnannounced: isForAstray ? 0.6 : 0.06,
      slowFetch: random.chance(0.25),
      fences: true,
      pageCustomers: random.pick([1, 2]),
    },
    options: {
      batchRecords: random.integer([1, 4]),
      sweepCustomers: random.integer([1, 2]),
      cacheBytes: random.integer([1, 6]),
      refreshMs: random.pick([2, 50, Infinity]),
    },
    disturbances: {
      owners: random.pick([0.01, 0.03]),
      losses: loss === "nothing" || isForAstray ? 0 : random.pick([0.005, 0.02]),
      policies: policyChange ? random.pick([0.005, 0.02]) : 0,
    },
  };
}

/** True when the changes themselves, not only where they lead, follow from the facts alone. */
export function isExact(plan: Plan): boolean {
  return !plan.late && !plan.referrals && !plan.policyChange && !plan.silentStart;
}
