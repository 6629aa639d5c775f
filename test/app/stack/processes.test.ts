import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { freePort } from "../../../src/app/stack/ports.ts";
import {
  findChild,
  isAlive,
  portFor,
  startChild,
  startUntilReady,
  stopChild,
  waitUntilReady,
  type Child,
} from "../../../src/app/stack/processes.ts";

let dir: string;
const started: Child[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "clientela-processes-"));
});
afterEach(async () => {
  for (const child of started.splice(0)) await stopChild(dir, child, 1000);
  rmSync(dir, { recursive: true, force: true });
});

function startScript(name: string, port: number, script: string): Child {
  const child = startChild(dir, name, port, process.execPath, ["-e", script], process.env);
  started.push(child);
  return child;
}

const FOREVER = "setInterval(() => {}, 1000)";
const wait = (timeoutMs: number, signal = new AbortController().signal) => ({ timeoutMs, signal });

describe("a server of the stack", () => {
  test("is found by a later command, and stopped alone", async () => {
    const [kafka, redis] = [startScript("kafka", 1234, FOREVER), startScript("redis", 1235, FOREVER)];
    expect(findChild(dir, "kafka")).toEqual(kafka);
    await stopChild(dir, kafka, 5000);
    expect([findChild(dir, "kafka"), isAlive(kafka), isAlive(redis)]).toEqual([null, false, true]);
  });

  test("that does not end when asked is killed after the time of grace", async () => {
    const child = startScript(
      "stubborn",
      1,
      `process.on("SIGTERM", () => {}); console.log("up"); ${FOREVER}`,
    );
    await expect.poll(() => readFileSync(join(dir, "stubborn.log"), "utf8")).toContain("up");
    await stopChild(dir, child, 100);
    await expect.poll(() => isAlive(child)).toBe(false);
  });

  test("is not taken for another process that got its number, nor read from a damaged file", () => {
    const file = join(dir, "kafka.pid.json");
    writeFileSync(file, JSON.stringify({ name: "kafka", pid: process.pid, startedAt: "1", port: 9092 }));
    expect(findChild(dir, "kafka")).toBe(null);
    writeFileSync(file, '{"name":"kaf');
    expect(findChild(dir, "kafka")).toBe(null);
  });

  test("keeps its port over a restart, unless somebody else has it by then", async () => {
    const port = await freePort();
    writeFileSync(
      join(dir, "redis.pid.json"),
      JSON.stringify({ name: "redis", pid: 2 ** 22, startedAt: "1", port }),
    );
    expect(await portFor(dir, "redis", false)).toBe(port);
    expect(await portFor(dir, "redis", true)).not.toBe(port);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    try {
      expect(await portFor(dir, "redis", false)).not.toBe(port);
    } finally {
      other.close();
    }
  });

  test("that ends while it starts is told with the end of its log", async () => {
    const child = startScript("registry", 1, 'console.error("port is taken"); process.exit(1)');
    await expect(waitUntilReady(dir, child, wait(10_000), () => Promise.resolve(false))).rejects.toThrow(
      /registry ended while it was starting; the end of .*registry\.log:\nport is taken/,
    );
  });

  describe("that finds a port of its own taken when it comes to listen", () => {
    const TAKEN = 'console.error("java.net.BindException: Address already in use"); process.exit(1)';
    const ready = (child: Child): Promise<void> =>
      waitUntilReady(dir, child, wait(10_000), () =>
        Promise.resolve(readFileSync(join(dir, "kafka.log"), "utf8").includes(`up at ${child.port}`)),
      );
    const asked: boolean[] = [];
    const start = (scripts: readonly string[]) => (another: boolean) => {
      const port = asked.push(another);
      return Promise.resolve(startScript("kafka", port, scripts[port - 1] ?? FOREVER));
    };
    beforeEach(() => void asked.splice(0));

    test("is started once more, elsewhere", async () => {
      const child = await startUntilReady(
        dir,
        "kafka",
        start([TAKEN, `console.log("up at 2"); ${FOREVER}`]),
        ready,
      );
      expect([child.port, asked, findChild(dir, "kafka")]).toEqual([2, [false, true], child]);
    });

    test("twice, or ends for something else: is told, and not started again and again", async () => {
      await expect(startUntilReady(dir, "kafka", start([TAKEN, TAKEN]), ready)).rejects.toThrow(
        /kafka ended while it was starting/,
      );
      expect(asked).toEqual([false, true]);
      asked.splice(0);
      // What an earlier start has left in the log is none of this one's trouble.
      const other = 'console.error("no space left"); process.exit(1)';
      await expect(startUntilReady(dir, "kafka", start([other]), ready)).rejects.toThrow(/no space left/);
      expect(asked).toEqual([false]);
    });
  });

  test("that never answers is given up in time; who stops waiting leaves it alone", async () => {
    const child = startScript("kafka", 1, FOREVER);
    const never = (): Promise<boolean> => Promise.reject(new Error("refused"));
    await expect(waitUntilReady(dir, child, wait(150), never)).rejects.toThrow(
      /did not answer within 0\.15 s/,
    );
    await expect(waitUntilReady(dir, child, wait(60_000, AbortSignal.abort()), never)).rejects.toThrow(
      /stopped waiting/,
    );
    expect(isAlive(child)).toBe(true);
  });
});
