import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import formatsPlugin from "ajv-formats";
import type { PolicyFile } from "../domain/policy-file-format.ts";
import type { Policy } from "../domain/policy.ts";
import { defaultPolicy, resolvePolicy } from "../domain/resolve-policy.ts";
import { UsageError } from "../pipeline/errors.ts";

const sha256 = (text: string): string => hash("sha256", text);

/** The policy without a file (S5.3). */
export function builtInPolicy(): Policy {
  return defaultPolicy(sha256);
}

/** The policy of a file, or without one the built-in policy. */
export async function configuredPolicy(path: string | null): Promise<Policy> {
  return path === null ? builtInPolicy() : readPolicy(path);
}

/** Reads and checks a policy file (I4). Throws UsageError with one line for each problem, all at once. */
export async function readPolicy(path: string): Promise<Policy> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError("POLICY_UNREADABLE", [`policy ${path} can't be read: ${why}`]);
  }
  return parsePolicy(text, path);
}

/** Checks the text of a policy file; `name` says in messages where it came from. */
export function parsePolicy(text: string, name: string): Policy {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError("POLICY_NOT_JSON", [`policy ${name} is not JSON: ${why}`]);
  }
  const validate = validator();
  const problems = validate(file) ? [] : schemaProblems(validate.errors ?? []);
  if (problems.length === 0) {
    const resolved = resolvePolicy(file as PolicyFile, sha256);
    if ("policy" in resolved) return resolved.policy;
    problems.push(...resolved.problems.map(({ path, message }) => `${path} ${message}`));
  }
  throw new UsageError(
    "POLICY_INVALID",
    problems.map((problem) => `policy ${name}: ${problem}`),
  );
}

/** A resolved policy as text, to be kept beside the states that stand under it (S7.3). */
export function policyText(policy: Policy): string {
  return JSON.stringify({ ...policy, rates: [...policy.rates] }, (_key, value: unknown) =>
    typeof value === "bigint" ? { bigint: value.toString() } : value,
  );
}

/** The inverse of `policyText`. */
export function policyFromText(text: string): Policy {
  const plain = JSON.parse(text, (_key, value: unknown) =>
    value !== null && typeof value === "object" && "bigint" in value ? BigInt(String(value.bigint)) : value,
  ) as Omit<Policy, "rates"> & { rates: (readonly [string, never])[] };
  return { ...plain, rates: new Map(plain.rates) };
}

let compiled: ReturnType<Ajv2020["compile"]> | null = null;

function validator(): ReturnType<Ajv2020["compile"]> {
  if (compiled === null) {
    const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
    formatsPlugin.default(ajv, ["date-time"]);
    const schema = new URL("../../schemas/policy.schema.json", import.meta.url);
    compiled = ajv.compile(JSON.parse(readFileSync(schema, "utf8")) as object);
  }
  return compiled;
}

function schemaProblems(errors: readonly ErrorObject[]): string[] {
  return errors.map(({ instancePath, message, params }) => {
    const extra = "additionalProperty" in params ? ` (${String(params["additionalProperty"])})` : "";
    return `${instancePath === "" ? "/" : instancePath} ${message ?? "is invalid"}${extra}`;
  });
}
