import { RefusedError } from "../../src/pipeline/errors.ts";
import type { Shard } from "../../src/pipeline/shard.ts";
import type { Process } from "./scheduler.ts";
import type { Tally } from "./tally.ts";
import { Violation } from "./verify.ts";

/** A process that has, or believes to have, a shard. */
export interface Owner {
  readonly process: Process;
  readonly number: number;
  readonly shard: Shard;
  /** undefined: it runs; null: it was stopped; else what it threw. */
  ended: Error | null | undefined;
}

/** Trouble that waiting can't mend is never what crashes lead to, and losses to one kind only. */
export function expectNoRefusal(owners: readonly Owner[], tally: Tally): void {
  for (const owner of owners) {
    if (!(owner.ended instanceof Error) || isTextLost(owner, tally)) continue;
    throw new Violation(`${owner.process.name} refused to go on: ${String(owner.ended)}`);
  }
}

/** A store that has lost something may have lost the text of a policy: a person has to give it again. */
export function isTextLost({ ended }: Owner, { regressions, wipes }: Tally): boolean {
  return ended instanceof RefusedError && ended.code === "POLICY_UNKNOWN" && regressions + wipes > 0;
}
