import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { kafkaClient } from "../../src/app/compose-kafka.ts";
import { readSettings, serversOf } from "../../src/app/settings.ts";

const APPLICATION = `policy-${Date.now().toString(36)}-${process.pid}`;

/** Mistakes of form and of meaning, in sections and in both profiles. */
const MISTAKEN = {
  version: "2026-01",
  timezone: "Europe/Atlantis",
  horizonDays: "1096",
  rates: { EUR: [{ from: "2024-01-01T00:00:00Z", rate: 1 }] },
  profiles: [
    { name: "B2B", colour: "red" },
    { name: "B2C", account: { occasions: { enter: 3, hold: 5 } } },
  ],
};
const PATHS = [
  "/timezone",
  "/horizonDays",
  "/rates/EUR",
  "/profiles/0/colour",
  "/profiles/1/account/occasions/hold",
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "clientela-policy-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function clientela(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, ["src/main.ts", ...args], {
    env: { ...process.env, ...env },
    timeout: 30_000,
  });
  const [[code], stdout, stderr] = await Promise.all([
    once(child, "close") as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, stdout, stderr };
}

/** Five lines, one a mistake, each with the file, its path and a reason; nothing on standard output. */
function expectFive({ code, stdout, stderr }: Ended, policy: string): void {
  const lines = stderr.trimEnd().split("\n");
  expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: "" });
  expect(lines, stderr).toHaveLength(PATHS.length);
  for (const path of PATHS) {
    const told = lines.filter((line) => line.startsWith(`clientela: policy ${policy}: ${path} `));
    expect(told, `${path} in ${stderr}`).toHaveLength(1);
  }
}

describe("a policy file with five mistakes reports five, each with its path, and nothing starts (I1, I4)", () => {
  test("run: no group, no topic, no key is touched", async () => {
    const policy = file("run.json", JSON.stringify(MISTAKEN));
    const env = {
      ...inject("endpoints"),
      CLIENTELA_APPLICATION_ID: APPLICATION,
      CLIENTELA_TOPIC_PREFIX: `${APPLICATION}.`,
      CLIENTELA_POLICY_FILE: policy,
      CLIENTELA_HTTP_PORT: "0",
    };
    expectFive(await clientela(["run"], env), policy);

    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const admin = kafkaClient(serversOf(readSettings(env)), logger).admin();
    await admin.connect();
    const { groups } = await admin.listGroups();
    expect(groups.filter(({ groupId }) => groupId.includes(APPLICATION))).toEqual([]);
    expect((await admin.listTopics()).filter((topic) => topic.startsWith(APPLICATION))).toEqual([]);
    await admin.disconnect();
    const redis = new Redis(env.REDIS_URL);
    expect(await redis.keys(`*${APPLICATION}*`)).toEqual([]);
    redis.disconnect();
  });

  test("run: not even with servers that are not there", async () => {
    const policy = file("nowhere.json", JSON.stringify(MISTAKEN));
    const nowhere = {
      KAFKA_BROKERS: "127.0.0.1:1",
      REDIS_URL: "redis://127.0.0.1:1",
      SCHEMA_REGISTRY_URL: "http://127.0.0.1:1",
    };
    expectFive(await clientela(["run"], { ...nowhere, CLIENTELA_POLICY_FILE: policy }), policy);
  });

  test("replay: no result file is begun", async () => {
    const policy = file("replay.json", JSON.stringify(MISTAKEN));
    const events = file("events.jsonl", "");
    const changes = join(folder, "changes.jsonl");
    expectFive(await clientela(["replay", events, "--policy", policy, "--changes", changes]), policy);
    expect(existsSync(changes)).toBe(false);
  });
});

test("a policy file that is not JSON, or not there, is one line and exit code 2", async () => {
  const events = file("none.jsonl", "");
  for (const [policy, why] of [
    [file("broken.json", "{ version: 1 }"), "is not JSON"],
    [join(folder, "missing.json"), "can't be read"],
  ] as const) {
    const { code, stderr } = await clientela(["replay", events, "--policy", policy]);
    expect({ code, lines: stderr.trimEnd().split("\n").length }, stderr).toEqual({ code: 2, lines: 1 });
    expect(stderr).toContain(`policy ${policy} ${why}`);
  }
});
