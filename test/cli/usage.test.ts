import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { run } from "../child.ts";
import { runHere } from "./in-process.ts";

// Nobody answering is noticed after some attempts.
vi.setConfig({ testTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), "clientela-usage-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COMMANDS = [
  ["demo"],
  ["replay"],
  ["setup"],
  ["produce"],
  ["run"],
  ["watch"],
  ["explain"],
  ["timeline"],
  ["dead-letters"],
  ["dead-letters", "list"],
  ["dead-letters", "redrive"],
  ["stack"],
  ["stack", "up"],
  ["stack", "down"],
  ["stack", "status"],
];

describe("help (I1)", () => {
  test.each([[[]], ...COMMANDS.map((command) => [command])])(
    "of %j goes to stdout, exit code 0",
    async (command) => {
      const { code, stdout, stderr } = await runHere([...command, "--help"]);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toContain(`Usage: ${["clientela", ...command].join(" ")}`);
    },
  );

  test("run --help prints the table of settings (I6)", async () => {
    const { stdout } = await runHere(["run", "--help"]);
    for (const name of ["KAFKA_BROKERS", "SCHEMA_REGISTRY_URL", "REDIS_URL", "CLIENTELA_FIRST_START"]) {
      expect(stdout).toContain(name);
    }
  });

  test("--version is the package's", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(await runHere(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });
});

const notJson = join(folder, "policy.json");
writeFileSync(notJson, "{");
const events = join(folder, "events.jsonl");
writeFileSync(events, "");

describe("wrong usage is one clear line on stderr, exit code 2 (I1)", () => {
  test.each<[args: string[], says: RegExp, env?: Record<string, string>]>([
    [["rplay"], /unknown command 'rplay'.*replay/],
    [["--bogus"], /unknown option '--bogus'/],
    [["replay"], /missing required argument 'file'/],
    [["replay", "nowhere.jsonl"], /nowhere\.jsonl can't be read/],
    [["replay", folder], /is a directory/],
    [["replay", "-", "-"], /named twice/],
    [["replay", events, "--as-of", "yesterday"], /--as-of.*ISO 8601/],
    [["replay", events, "--as-of", "2025-01-01"], /--as-of.*ISO 8601/],
    [["replay", events, "--segments", join(folder, "no", "where")], /can't be written/],
    [["replay", events, "--segments", "-", "--timeline", "-"], /--timeline - is --segments as well/],
    [["replay", events, "--segments", events], /is an event file as well/],
    [["replay", events, "--policy", "nowhere.json"], /policy nowhere\.json can't be read/],
    [["replay", events, "--policy", notJson], /is not JSON/],
    [["explain"], /missing required argument 'customer'/],
    [["explain", "c1", "--at", "5x"], /--at.*ISO 8601/],
    [["explain", "c1", "--events", "nowhere.jsonl"], /nowhere\.jsonl can't be read/],
    [["timeline", "c1", "c2"], /too many arguments/],
    [["timeline", "c1", "--until", "never"], /--until.*ISO 8601/],
    [["demo", "--customers", "0"], /--customers.*whole number from 1 to 20000/],
    [["demo", "--save-events", folder], /can't be written/],
    [["produce"], /missing required argument 'file'/],
    [["produce", "nowhere.jsonl"], /nowhere\.jsonl can't be read/],
    [["produce", events, "--rate", "fast"], /--rate.*whole number/],
    [["watch", "--changed", "mood"], /--changed.*status, stage, value, attention, tags/],
    [["dead-letters", "list", "--reason", "mood"], /--reason.*too_late/],
    [["stack", "sideways"], /unknown command 'sideways'/],
    [["setup", "now"], /too many arguments/],
    [["run"], /^clientela: KAFKA_BROKERS: must be host:port/, { KAFKA_BROKERS: "broker" }],
    [
      ["run"],
      /^clientela: CLIENTELA_KAFKA_CA_FILE: nowhere\.pem can't be read/,
      { CLIENTELA_KAFKA_TLS: "yes", CLIENTELA_KAFKA_CA_FILE: "nowhere.pem" },
    ],
    [["watch"], /^clientela: policy nowhere\.json can't be read/, { CLIENTELA_POLICY_FILE: "nowhere.json" }],
  ])("%j", async (args, says, env = {}) => {
    const { code, stdout, stderr } = await runHere(args, env);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^clientela: [^\n]+\n$/);
  });

  test("every wrong setting is told at once, a line each", async () => {
    const { code, stderr } = await runHere(["setup"], {
      CLIENTELA_PARTITIONS: "no",
      CLIENTELA_LOG_LEVEL: "loud",
    });
    expect(code).toBe(2);
    expect(stderr.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^clientela: CLIENTELA_PARTITIONS: /),
      expect.stringMatching(/^clientela: CLIENTELA_LOG_LEVEL: /),
    ]);
  });

  test.each([[[]], [["stack"]], [["dead-letters"]]])(
    "%j without a command shows what there is",
    async (args) => {
      const { code, stdout, stderr } = await runHere(args);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain("Commands:");
    },
  );

  test("nothing was changed: a result file stays as it was when an event file is missing", async () => {
    const result = join(folder, "kept.jsonl");
    writeFileSync(result, "kept");
    const { code } = await runHere(["replay", "nowhere.jsonl", "--segments", result]);
    expect([code, readFileSync(result, "utf8")]).toEqual([2, "kept"]);
  });
});

describe("a server that can't be reached is named, with where it was looked for, exit code 1 (I1)", () => {
  const NOBODY = "127.0.0.1:1";
  test.each([
    [["setup"]],
    [["watch"]],
    [["dead-letters", "list"]],
    [["explain", "c1"]],
    [["timeline", "c1"]],
  ])("%j without a broker", async (args) => {
    const { code, stdout, stderr } = await runHere(args, { KAFKA_BROKERS: NOBODY });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^clientela: .*ECONNREFUSED.*KAFKA_BROKERS is 127\.0\.0\.1:1 \[KAFKA_TROUBLE\]\n$/,
    );
  });

  test("credentials in an address are not shown", async () => {
    const { code, stderr } = await run(["run"], {
      SCHEMA_REGISTRY_URL: `http://user:secret@${NOBODY}`,
      CLIENTELA_HTTP_PORT: "0",
      CLIENTELA_LOG_LEVEL: "error",
    });
    expect(code).toBe(1);
    expect(stderr).not.toContain("secret");
  });
});
