import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { run, type Ended } from "../../child.ts";

// Each test starts the command as a process, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "clientela-artifacts-"));
  mkdirSync(join(home, "bin"));
  symlinkSync("/bin/sh", join(home, "bin", "sh"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** A program on an otherwise empty PATH. */
function program(name: string, script: string): void {
  const path = join(home, "bin", name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/** `stack up` with an empty cache. */
function up(): Promise<Ended> {
  return run(["stack", "up", "--dir", join(home, "stack")], { PATH: join(home, "bin"), HOME: home });
}

const JAVA_21 = "echo 'openjdk version \"21.0.1\" 2023-10-17' >&2";
const INSTEAD = /Instead you can use Docker .*KAFKA_BROKERS, SCHEMA_REGISTRY_URL and REDIS_URL\n$/;

describe("without what the stack needs, stack up says what to do instead, exit code 2 (A9)", () => {
  test("no Java", async () => {
    const { code, stdout, stderr } = await up();
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(
      /^clientela: the stack needs Java 17 or newer, and there is no 'java' on the PATH/,
    );
    expect(stderr).toMatch(INSTEAD);
  });

  test("an old Java", async () => {
    program("java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2");
    const { code, stderr } = await up();
    expect([code, stderr]).toEqual([2, expect.stringMatching(/'java' is version 11/)]);
  });

  test("no Maven", async () => {
    program("java", JAVA_21);
    const { code, stderr } = await up();
    expect(code).toBe(2);
    expect(stderr).toMatch(/clientela: the stack needs Maven, and there is no 'mvn' on the PATH/);
    expect(stderr).toMatch(INSTEAD);
  });

  test("a Maven that can't bring the servers: its own words, and nothing half brought is left", async () => {
    program("java", JAVA_21);
    program("mvn", "echo '[INFO] trying'; echo '[ERROR] Unknown host repo.maven.apache.org'; exit 1");
    const { code, stderr } = await up();
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /Maven could not bring the servers: \[ERROR\] Unknown host repo\.maven\.apache\.org/,
    );
    expect(existsSync(join(home, "stack", "lock"))).toBe(false);
  });

  test("a folder that can't be used", async () => {
    writeFileSync(join(home, "stack"), "a file");
    const { code, stderr } = await up();
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^clientela: .*stack can't be used for the stack: EEXIST[^\n]*\n$/),
    ]);
  });
});

test("status and down of a folder that never was: nothing runs, exit code 0", async () => {
  const dir = join(home, "nowhere");
  expect(await run(["stack", "status", "--dir", dir])).toMatchObject({
    code: 0,
    stdout: "kafka\tstopped\nregistry\tstopped\nredis\tstopped\n",
  });
  expect(await run(["stack", "down", "--dir", dir])).toEqual({
    code: 0,
    stdout: "",
    stderr: "nothing was running\n",
  });
  expect(existsSync(dir)).toBe(false);
});
