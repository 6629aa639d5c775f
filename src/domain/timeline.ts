import type { Instant } from "../shared/instant.ts";
import type { Customer } from "./customer.ts";
import type { Transition } from "./change.ts";
import { walk } from "./history.ts";
import type { Policy } from "./policy.ts";

/**
 * Every transition up to `through`, as if every event had been on time (S7). Where details have been settled and dropped (S2.4)
 * it begins at that point. The customer is not changed.
 */
export function timeline(customer: Customer, through: Instant, policy: Policy): Transition[] {
  const transitions: Transition[] = [];
  walk(customer.state, policy, through, (transition) => transitions.push(transition));
  return transitions;
}
