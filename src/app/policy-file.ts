import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Ajv2020, ErrorObject } from "ajv/dist/2020.js";
import type { PolicyFile } from "../domain/policy-file-format.ts";
import type { Policy } from "../domain/policy.ts";
import { defaultPolicy, resolvePolicy, type PolicyProblem } from "../domain/resolve-policy.ts";
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

/** Policies whose text the state store may have lost: those of the files, and the built-in one, which has none. */
export async function formerPolicies(paths: readonly string[]): Promise<readonly Policy[]> {
  return [builtInPolicy(), ...(await Promise.all(paths.map(readPolicy)))];
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
  const form = validate(file) ? [] : (validate.errors ?? []).map(formProblem);
  const resolved = form.length === 0 ? resolvePolicy(file as PolicyFile, sha256) : null;
  if (resolved !== null && "policy" in resolved) return resolved.policy;
  const problems = [...form, ...(resolved?.problems ?? problemsBeside(form, file))];
  throw new UsageError(
    "POLICY_INVALID",
    problems.map(({ path, message }) => `policy ${name}: ${path} ${message}`),
  );
}

/**
 * Mistakes of meaning in what is sound of a file that has mistakes of form, so that both are told at once. A section that can't
 * be looked into at all is left out.
 */
function problemsBeside(form: readonly PolicyProblem[], file: unknown): readonly PolicyProblem[] {
  const isBroken = (key: string): boolean => form.some(({ path }) => isWithin(path, `/${key}`));
  const entries = file !== null && typeof file === "object" ? Object.entries(file) : [];
  // Profiles can be looked into in spite of a mistake in one of them, mostly.
  const candidates = [
    entries.filter(([key]) => key === "profiles" || !isBroken(key)),
    entries.filter(([key]) => !isBroken(key)),
  ];
  for (const sound of candidates) {
    try {
      const resolved = resolvePolicy(Object.fromEntries(sound) as unknown as PolicyFile, sha256);
      if ("policy" in resolved) return [];
      return resolved.problems.filter(({ path }) => {
        // A relation between two values of one part of a profile means nothing when one of them is none.
        const part = path.split("/").length > 4 ? path.slice(0, path.lastIndexOf("/")) : path;
        return !form.some((known) => isWithin(path, known.path) || isWithin(known.path, part));
      });
    } catch {
      // The mistake of form is in the way; it has been told.
    }
  }
  return [];
}

function isWithin(path: string, parent: string): boolean {
  return path === parent || path.startsWith(`${parent}/`);
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
    // Whoever reads no policy file starts without its checker, which is a third of what a command or a thread loads.
    const require = createRequire(import.meta.url);
    const { Ajv2020 } = require("ajv/dist/2020.js") as typeof import("ajv/dist/2020.js");
    const formats = require("ajv-formats") as typeof import("ajv-formats");
    const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
    formats.default(ajv, ["date-time"]);
    const schema = new URL("../../schemas/policy.schema.json", import.meta.url);
    compiled = ajv.compile(JSON.parse(readFileSync(schema, "utf8")) as object);
  }
  return compiled;
}

function formProblem({ instancePath, keyword, message, params }: ErrorObject): PolicyProblem {
  if (keyword === "additionalProperties") {
    return {
      path: `${instancePath}/${String(params["additionalProperty"])}`,
      message: "is no setting of a policy",
    };
  }
  return { path: instancePath === "" ? "/" : instancePath, message: message ?? "is invalid" };
}
