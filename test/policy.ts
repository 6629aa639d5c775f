import { hash } from "node:crypto";
import type { PolicyFile } from "../src/domain/policy-file-format.ts";
import type { Policy } from "../src/domain/policy.ts";
import { resolvePolicy } from "../src/domain/resolve-policy.ts";

/** A policy for tests: the default one, with what the file states. */
export function testPolicy(file: Partial<PolicyFile> = {}): Policy {
  const resolved = resolvePolicy({ version: "test", ...file }, (text) => hash("sha256", text));
  if ("problems" in resolved) throw new Error(JSON.stringify(resolved.problems));
  return resolved.policy;
}
