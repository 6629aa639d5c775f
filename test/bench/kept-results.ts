import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { format } from "prettier";
import type { Conditions } from "./conditions.ts";
import { figuresIn } from "./found-figures.ts";

const ROOT = join(import.meta.dirname, "../..");
export const RESULTS = join(import.meta.dirname, "results");

/** What a scenario prints as one JSON line. */
export interface ResultLine {
  readonly scenario: string;
  readonly conditions: Conditions;
  readonly [path: string]: unknown;
}

export interface KeptResult extends ResultLine {
  readonly release: string;
  /** ISO date. */
  readonly date: string;
  /** Of the code that was measured, with a `+` when it had changes that were not committed; null outside of git. */
  readonly commit: string | null;
}

/** Writes `<release>/<scenario>.json`, over what was kept of the same release. Throws when a figure is not declared. */
export async function keepResult(line: ResultLine, dir = RESULTS): Promise<string> {
  figuresIn(line.scenario, line);
  const { scenario, ...told } = line;
  // Where the peer lay is of that machine only.
  const against = told["against"];
  const rest = typeof against === "string" ? { ...told, against: basename(against) } : told;
  const release = currentRelease();
  const date = new Date().toISOString().slice(0, 10);
  const folder = join(dir, release);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${scenario}.json`);
  const json = JSON.stringify({ scenario, release, date, commit: currentCommit(), ...rest }, null, 2);
  // As the check of the format wants it.
  writeFileSync(file, await format(json, { parser: "json", printWidth: 110 }));
  return file;
}

/** The newest release's result of each scenario. */
export function newestResults(dir = RESULTS): ReadonlyMap<string, KeptResult> {
  return new Map(allResults(dir).map((result) => [result.scenario, result]));
}

/** Oldest release first. */
export function allResults(dir = RESULTS): KeptResult[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .sort(byRelease)
    .flatMap((release) =>
      readdirSync(join(dir, release))
        .sort()
        .map((file) => JSON.parse(readFileSync(join(dir, release, file), "utf8")) as KeptResult),
    );
}

const collator = new Intl.Collator("en", { numeric: true });

/** 0.9.0 before 0.10.0, 1.0.0-rc.1 before 1.0.0. */
export function byRelease(a: string, b: string): number {
  const [coreA = "", ...preA] = a.split("-");
  const [coreB = "", ...preB] = b.split("-");
  const byCore = collator.compare(coreA, coreB);
  if (byCore !== 0 || preA.length + preB.length === 0) return byCore;
  if (preA.length === 0 || preB.length === 0) return preA.length === 0 ? 1 : -1;
  return collator.compare(preA.join("-"), preB.join("-"));
}

function currentRelease(): string {
  return (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;
}

function currentCommit(): string | null {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    // A result that was kept just now is no change of the code.
    const changed = git("status", "--porcelain", "--", ".", ":!test/bench/results", ":!docs");
    return git("rev-parse", "--short=12", "HEAD") + (changed === "" ? "" : "+");
  } catch {
    return null;
  }
}
