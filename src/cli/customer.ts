import { createLogger } from "../adapters/telemetry/logger.ts";
import { customerFromFiles, customerFromStore } from "../app/look-up.ts";
import { configuredPolicy } from "../app/policy-file.ts";
import { readSettings, serversOf } from "../app/settings.ts";
import type { Customer } from "../domain/customer.ts";
import type { Policy } from "../domain/policy.ts";
import { ClientelaError } from "../pipeline/errors.ts";
import { instant, toIso, type Instant } from "../shared/instant.ts";
import type { CommandContext } from "./context.ts";

export interface CustomerOptions {
  readonly events?: readonly string[];
  readonly policy?: string;
}

/** A customer, and the instant that is meant when none is stated: now, or the newest one in the event files. */
export interface LookedUp {
  readonly customer: Customer;
  readonly policy: Policy;
  readonly latestAt: Instant;
}

/** The customer a command asks for, from event files or from the state store. Throws when nobody knows it. */
export async function lookUp(
  customerId: string,
  options: CustomerOptions,
  { env, signal }: CommandContext,
): Promise<LookedUp> {
  const settings = readSettings(env);
  const policyFile = options.policy ?? settings.policyFile;
  const policy = await configuredPolicy(policyFile);
  if (options.events !== undefined) {
    const { customer, newestAt } = await customerFromFiles(options.events, customerId, policy, signal);
    if (customer === null) throw unknownCustomer(`${options.events.join(", ")}: nothing names ${customerId}`);
    return { customer, policy, latestAt: newestAt };
  }
  const { applicationId } = settings;
  const logger = createLogger(settings.logLevel);
  const customer = await customerFromStore(serversOf(settings), customerId, policy, logger);
  if (customer === null) {
    throw unknownCustomer(
      `the state store of application ${applicationId} does not know customer ${customerId}`,
    );
  }
  return { customer, policy, latestAt: instant(Date.now()) };
}

export function unknownCustomer(message: string): ClientelaError {
  return new ClientelaError("CUSTOMER_UNKNOWN", message, { retriable: false });
}

/** Why nothing can be said of a customer at an instant: erased, settled so that its details are dropped (S2.4), or not heard of yet. */
export function nothingKnown(customer: Customer, at: Instant): ClientelaError {
  const { customerId, base, erasedAt } = customer.state;
  if (base !== null && at < base.at) {
    return new ClientelaError(
      "SETTLED",
      `what made customer ${customerId} before ${toIso(base.at)} is settled, and its details are dropped (policy.horizonDays): nothing can be said of ${toIso(at)}. Event files still can: --events`,
      { retriable: false },
    );
  }
  if (!customer.hasFacts && erasedAt !== null) {
    return unknownCustomer(`customer ${customerId} was erased at ${toIso(erasedAt)}`);
  }
  return unknownCustomer(`nothing was known of customer ${customerId} at ${toIso(at)}`);
}
