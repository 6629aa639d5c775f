import { createLogger } from "../adapters/telemetry/logger.ts";
import { customerFromFiles, customerFromStore } from "../app/look-up.ts";
import { configuredPolicy } from "../app/policy-file.ts";
import { readSettings, serversOf } from "../app/settings.ts";
import type { Customer } from "../domain/customer.ts";
import type { Policy } from "../domain/policy.ts";
import { ClientelaError } from "../pipeline/errors.ts";
import type { CommandContext } from "./program.ts";

export interface CustomerOptions {
  readonly events?: readonly string[];
  readonly policy?: string;
}

/** The customer a command asks for, from event files or from the state store. Throws when nobody knows it. */
export async function lookUp(
  customerId: string,
  options: CustomerOptions,
  { env }: CommandContext,
): Promise<{ readonly customer: Customer; readonly policy: Policy }> {
  const settings = readSettings(env);
  const policyFile = options.policy ?? settings.policyFile;
  const policy = await configuredPolicy(policyFile);
  const customer =
    options.events === undefined
      ? await customerFromStore(serversOf(settings), customerId, policy, createLogger(settings.logLevel))
      : await customerFromFiles(options.events, customerId, policy);
  if (customer === null) {
    const where = options.events === undefined ? "the state store" : options.events.join(", ");
    throw new ClientelaError("CUSTOMER_UNKNOWN", `${where} does not know customer ${customerId}`, {
      retriable: false,
    });
  }
  return { customer, policy };
}
