import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, expect, inject, onTestFinished, test } from "vitest";
import { createRegistry } from "../../src/adapters/avro/registry.ts";
import { schemaText } from "../../src/adapters/avro/schemas.ts";
import { bringArtifacts } from "../../src/app/stack/artifacts.ts";
import { PARTS, stackDown, startPart } from "../../src/app/stack/stack.ts";
import { run } from "../child.ts";

const dir = mkdtempSync(join(tmpdir(), "clientela-stack-"));
const stack = (command: string): ReturnType<typeof run> => run(["stack", command, "--dir", dir]);

afterAll(async () => {
  await stack("down");
  rmSync(dir, { recursive: true, force: true });
});

async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

test("stack up finds what runs, starts what has died on its port and its data; down stops just those (I1, A9)", async () => {
  const first = await stack("up");
  expect(first.code, first.stderr).toBe(0);
  expect(first.stdout).toMatch(
    /^KAFKA_BROKERS=127\.0\.0\.1:\d+\nSCHEMA_REGISTRY_URL=http:\/\/127\.0\.0\.1:\d+\/\S*\nREDIS_URL=redis:\/\/127\.0\.0\.1:\d+\n$/,
  );
  expect((await stack("up")).stdout).toBe(first.stdout);

  const url = /REDIS_URL=(.*)/.exec(first.stdout)?.[1] ?? "";
  await withRedis(url, async (redis) => {
    await redis.config("SET", "appendfsync", "always");
    await redis.set("kept", "yes");
  });
  const registry = createRegistry(/SCHEMA_REGISTRY_URL=(.*)/.exec(first.stdout)?.[1] ?? "", null);
  const id = await registry.register("kept-value", schemaText("surveys"));
  for (const part of ["redis", "registry"]) {
    const status = (await stack("status")).stdout;
    process.kill(
      Number(new RegExp(`^${part}\\trunning\\t\\S+\\tpid (\\d+)$`, "m").exec(status)?.[1]),
      "SIGKILL",
    );
    await expect
      .poll(async () => (await stack("status")).stdout, { timeout: 30_000 })
      .toContain(`${part}\tstopped`);
  }
  expect((await stack("up")).stdout).toBe(first.stdout);
  expect(await withRedis(url, (redis) => redis.get("kept"))).toBe("yes");
  expect(await registry.idOf("kept-value", schemaText("surveys"))).toBe(id);

  expect((await stack("down")).stderr).toBe("stopped kafka, registry, redis\n");
  expect((await stack("status")).stdout).toBe("kafka\tstopped\nregistry\tstopped\nredis\tstopped\n");
  expect(await withRedis(inject("endpoints").REDIS_URL, (redis) => redis.ping())).toBe("PONG");
});

test.each(PARTS)(
  "%s whose port a connection of somebody else's has taken comes up on another (A9)",
  async (part) => {
    const listening = createServer().listen(0, "127.0.0.1");
    await once(listening, "listening");
    const client = connect((listening.address() as AddressInfo).port, "127.0.0.1");
    await once(client, "connect");
    const home = mkdtempSync(join(tmpdir(), "clientela-stack-port-"));
    onTestFinished(async () => {
      client.destroy();
      listening.close();
      await stackDown(home);
      rmSync(home, { recursive: true, force: true });
    });
    // As it was left by a stop: nobody answers there, so it looks free.
    const last = { name: part, pid: 2 ** 22, startedAt: "1", port: client.localPort };
    writeFileSync(join(home, `${part}.pid.json`), JSON.stringify(last));
    const child = await startPart(home, part, await bringArtifacts(() => undefined));
    expect(child.port).not.toBe(client.localPort);
  },
);
