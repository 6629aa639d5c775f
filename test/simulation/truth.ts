import { newCustomer, type Customer } from "../../src/domain/customer.ts";
import type { CustomerState } from "../../src/domain/customer-state.ts";
import type { CustomerEvent, Referral } from "../../src/domain/events.ts";
import { advance, foldEvent } from "../../src/domain/fold.ts";
import type { FoldOutput } from "../../src/domain/fold-api.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { Instant } from "../../src/shared/instant.ts";

/** What should come of a story: everything folded at once, without shards, batches, stores or faults (S1). */
export interface Truth {
  readonly states: ReadonlyMap<string, CustomerState>;
  /** Ids of the changes of each customer, in order; null: a tombstone. What was published, if all was told in time. */
  readonly changeIds: ReadonlyMap<string, readonly (string | null)[]>;
}

export function truthOf(facts: readonly CustomerEvent[], through: Instant, policy: Policy): Truth {
  const options = { policy, quiet: false, forget: true };
  const customers = new Map<string, Customer>();
  const changeIds = new Map<string, (string | null)[]>();
  let version = 0;
  const tell = (customerId: string, outputs: readonly FoldOutput[]): void => {
    if (outputs.length === 0) return;
    const ids = changeIds.get(customerId) ?? [];
    changeIds.set(customerId, ids);
    for (const output of outputs) ids.push(output?.changeId ?? null);
  };
  const fold = (event: CustomerEvent): readonly Referral[] => {
    const customer = customers.get(event.customerId) ?? newCustomer(event.customerId);
    customers.set(event.customerId, customer);
    const outcome = foldEvent(customer, event, null, options);
    if (outcome.kind === "dead_letter") throw new Error(`a fact of a story was refused: ${outcome.detail}`);
    if (outcome.kind === "skip") return [];
    tell(event.customerId, outcome.outputs);
    return outcome.referrals.map((referral) => ({ ...referral, version: ++version }));
  };
  for (const fact of facts) for (const referral of fold(fact)) fold(referral);
  const states = new Map<string, CustomerState>();
  for (const [customerId, customer] of customers) {
    tell(customerId, advance(customer, through, options));
    if (!customer.isEmpty) states.set(customerId, customer.state);
  }
  return { states, changeIds };
}
