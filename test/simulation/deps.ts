import { createStateCodec } from "../../src/adapters/avro/state-codec.ts";
import { policyFromText, policyText } from "../../src/app/policy-file.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { CacheBudget } from "../../src/pipeline/customer-cache.ts";
import { DEFAULT_SHARD_OPTIONS, type ShardDeps } from "../../src/pipeline/options.ts";
import { SILENT_TELEMETRY } from "../../src/pipeline/telemetry.ts";
import { testPolicy } from "../policy.ts";
import type { Plan } from "./plan.ts";
import type { Ports } from "./ports.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import type { Tally } from "./tally.ts";

export const POLICY = testPolicy();
/** No two of them see a customer with an order alike. */
export const ALL_POLICIES: readonly Policy[] = [
  POLICY,
  testPolicy({
    version: "other",
    profiles: [{ name: "B2C", value: { aMinor: 15_000, bMinor: 5000 }, lapse: { firstDays: 100 } }],
  }),
  testPolicy({
    version: "third",
    profiles: [{ name: "B2C", value: { aMinor: 8000, bMinor: 2000 }, lapse: { firstDays: 60 } }],
  }),
];

const codec = createStateCodec();
const POLICIES = { text: policyText, parse: policyFromText };
const ignore = (): void => undefined;
const LOGGER = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * What one process runs its shard with: all of it the product's own but the ports. `areFormerGiven`: a person has put the files of
 * all policies beside it.
 */
export function depsOf(
  process: Process,
  { store, decoder }: Ports,
  policy: Policy,
  areFormerGiven: boolean,
  plan: Plan,
  scheduler: Scheduler,
  tally: Tally,
): ShardDeps {
  return {
    store,
    codec,
    decoder,
    clock: scheduler.clockOf(process),
    telemetry: {
      ...SILENT_TELEMETRY,
      acquired: (_, path) => {
        process.stage = "run";
        tally.acquired[path]++;
        scheduler.note(`  ${process.name} has the shard: ${path}`);
      },
      refolded: (records) => (tally.refoldedRecords += records),
    },
    logger: {
      ...LOGGER,
      warn: (fields) => {
        if ("why" in fields && String(fields.why).includes("astray")) tally.astray++;
      },
    },
    policy,
    policies: areFormerGiven ? { ...POLICIES, former: ALL_POLICIES } : POLICIES,
    budget: new CacheBudget(plan.options.cacheBytes),
    options: {
      ...DEFAULT_SHARD_OPTIONS,
      ...plan.options,
      commitIntervalMs: 0,
      sweepIntervalMs: 0,
      // Who tries again first is the scheduler's choice.
      backoffMs: [1, 1],
      firstStart: plan.silentStart ? "silent" : "publish",
      // Crashes alone never cost the state: then nothing may have to be rebuilt.
      onStateLoss: plan.loss === "nothing" ? "stop" : "rebuild",
    },
  };
}
