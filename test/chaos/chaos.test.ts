import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { summaryOf, violationsOf } from "./report.ts";
import { runChaos } from "./run-chaos.ts";

/** A fixed seed whose plan has deaths within the commit and the re-fold, a zombie, a Redis that goes back twice, and a broker that dies. */
const SEED = 76;

test("half a minute of kills, freezes and broken servers: nothing lost, nothing twice (A4)", async () => {
  const dir = mkdtempSync(join(tmpdir(), "clientela-chaos-"));
  const report = await runChaos({
    seed: SEED,
    durationMs: 30_000,
    processes: 3,
    dir,
    breaks: null,
    isFocused: false,
    signal: new AbortController().signal,
    onDeed: () => undefined,
    onProgress: () => undefined,
  });
  process.stdout.write(`${summaryOf(report)}\n`);
  const { verdict, violations, counts } = report;
  expect(violations, `data and logs are in ${dir}\n${violationsOf(report)}`).toEqual([]);
  // What compares nothing can't fail.
  expect(verdict.exact).toBeGreaterThan(150);
  expect(verdict.deadlineChanges).toBeGreaterThan(100);
  expect(verdict.deadLetters).toBeGreaterThan(5);
  for (const kind of ["kills", "freezes", "broker faults", "Redis losses"])
    expect(counts.get(kind), kind).toBeGreaterThan(0);
  rmSync(dir, { recursive: true, force: true });
}, 400_000);
