import { ESLint } from "eslint";
import { beforeAll, describe, expect, test } from "vitest";

let eslint: ESLint;

beforeAll(() => {
  // The project's own configuration; without type information, because the files exist only here.
  eslint = new ESLint({
    overrideConfig: [
      {
        files: ["src/**/*.ts"],
        languageOptions: { parserOptions: { projectService: false } },
        rules: {},
      },
    ],
    ruleFilter: ({ ruleId }) => ruleId.startsWith("no-restricted-"),
  });
});

/** What the rules of the rooms say of a file with this text. */
async function saidOf(filePath: string, text: string): Promise<string[]> {
  const [result] = await eslint.lintText(text, { filePath });
  const messages = result?.messages ?? [];
  const broken = messages.find(({ fatal }) => fatal === true);
  if (broken !== undefined) throw new Error(broken.message);
  return messages
    .filter(({ ruleId }) => ruleId?.startsWith("no-restricted-"))
    .map(({ ruleId, message }) => `${String(ruleId)}: ${message}`);
}

const REFUSED: readonly (readonly [what: string, file: string, text: string])[] = [
  ["shared imports the domain", "src/shared/x.ts", 'import "../domain/fold.ts";'],
  ["domain imports a Node module", "src/domain/x.ts", 'import { readFileSync } from "node:fs";'],
  ["domain imports the pipeline", "src/domain/x.ts", 'import type { Clock } from "../pipeline/ports.ts";'],
  ["domain reads the clock", "src/domain/x.ts", "export const at = Date.now();"],
  ["domain makes a date of now", "src/domain/x.ts", "export const at = new Date();"],
  ["domain draws a random number", "src/domain/x.ts", "export const n = Math.random();"],
  [
    "domain waits",
    "src/domain/x.ts",
    "export async function f(p: Promise<void>): Promise<void> { await p; }",
  ],
  ["domain sets a timer", "src/domain/x.ts", "setTimeout(() => undefined, 1);"],
  ["domain reads the environment", "src/domain/x.ts", "export const e = process.env;"],
  ["pipeline imports an adapter", "src/pipeline/x.ts", 'import "../adapters/redis/keys.ts";'],
  ["pipeline imports the app", "src/pipeline/x.ts", 'import "../app/settings.ts";'],
  ["an adapter imports another", "src/adapters/kafka/x.ts", 'import "../avro/encoder.ts";'],
  [
    "an adapter imports another by a longer way",
    "src/adapters/redis/x.ts",
    'import "../../adapters/kafka/client.ts";',
  ],
  ["an adapter re-exports another", "src/adapters/http/x.ts", 'export * from "../telemetry/metrics.ts";'],
  ["an adapter imports the app", "src/adapters/embedded/x.ts", 'import "../../app/replay/replay.ts";'],
  ["app imports cli", "src/app/x.ts", 'import "../cli/program.ts";'],
  ["a room below app imports cli", "src/app/demo/x.ts", 'import "../../cli/program.ts";'],
  [
    "pipeline re-exports an adapter",
    "src/pipeline/x.ts",
    'export { keysOf } from "../adapters/redis/keys.ts";',
  ],
];

const ALLOWED: readonly (readonly [what: string, file: string, text: string])[] = [
  ["domain imports shared", "src/domain/x.ts", 'import "../shared/instant.ts";'],
  ["domain makes a date of an instant", "src/domain/x.ts", "export const at = new Date(5);"],
  [
    "pipeline imports domain and shared",
    "src/pipeline/x.ts",
    'import "../domain/fold.ts"; import "../shared/instant.ts";',
  ],
  [
    "an adapter imports ports and domain",
    "src/adapters/redis/x.ts",
    'import "../../pipeline/ports.ts"; import "./keys.ts";',
  ],
  ["the app wires adapters", "src/app/x.ts", 'import "../adapters/redis/keys.ts";'],
  ["cli imports app", "src/cli/x.ts", 'import "../app/settings.ts";'],
];

describe("imports point one way, and the domain is pure (A2)", () => {
  test.each(REFUSED)("refused: %s", async (_, file, text) => {
    expect(await saidOf(file, text)).not.toEqual([]);
  });

  test.each(ALLOWED)("allowed: %s", async (_, file, text) => {
    expect(await saidOf(file, text)).toEqual([]);
  });
});
