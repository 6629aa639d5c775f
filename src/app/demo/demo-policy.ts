import { createHash } from "node:crypto";
import type { Policy } from "../../domain/policy.ts";
import type { PolicyFile } from "../../domain/policy-file-format.ts";
import { resolvePolicy } from "../../domain/resolve-policy.ts";

/** The rules of the demo: the built-in profiles, and what the dealer looks for in a new customer (S5.2). */
export const DEMO_POLICY_FILE: PolicyFile = {
  version: "demo",
  profiles: [
    {
      name: "B2B",
      idealCustomer: [
        { attribute: "channel", anyOf: ["GROCERY"], weight: 2 },
        { attribute: "customerType", anyOf: ["WHOLESALE"], weight: 1 },
        { attribute: "governance", anyOf: ["INDEPENDENT", "PURCHASING_GROUP"], weight: 1 },
      ],
    },
    { name: "B2C" },
  ],
};

export function demoPolicy(): Policy {
  const resolved = resolvePolicy(DEMO_POLICY_FILE, (text) => createHash("sha256").update(text).digest("hex"));
  if ("policy" in resolved) return resolved.policy;
  throw new Error(
    `the demo's policy is wrong: ${resolved.problems.map(({ path, message }) => `${path} ${message}`).join("; ")}`,
  );
}
