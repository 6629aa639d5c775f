import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { shardKeys } from "../../../src/adapters/redis/keys.ts";
import type { RedisStateStore } from "../../../src/adapters/redis/state-store.ts";
import { RetriableError } from "../../../src/pipeline/errors.ts";
import type { CustomerWrite } from "../../../src/pipeline/ports.ts";
import { startTcpProxy, type TcpProxy } from "../../tcp-proxy.ts";
import { RedisProcess } from "./redis-process.ts";
import { freshApplicationId, openStore } from "./redis-server.ts";

let dir: string;
let master: RedisProcess;
let replica: RedisProcess;
let endpoint: TcpProxy;
let applicationId: string;
let store: RedisStateStore;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "clientela-endpoint-"));
  [master, replica] = await Promise.all([RedisProcess.start(dir, []), RedisProcess.start(dir, [])]);
  await replica.admin.replicaof("127.0.0.1", master.port);
  await expect
    .poll(() => replica.admin.info("replication"), { timeout: 10_000 })
    .toContain("master_link_status:up");
  endpoint = await startTcpProxy(portOf(master.url));
  applicationId = freshApplicationId();
  store = openStore({ url: `redis://127.0.0.1:${endpoint.port}`, applicationId });
});
afterEach(async () => {
  await store.close();
  await endpoint.down();
  await Promise.all([master.kill(), replica.kill()]);
  rmSync(dir, { recursive: true, force: true });
});

/** Waits until the replica has what was committed under this seq. */
async function replicated(seq: number): Promise<void> {
  const { marks } = shardKeys(applicationId, 0);
  await expect.poll(() => replica.admin.hget(marks, "seq"), { timeout: 10_000 }).toBe(String(seq));
}

/** As Sentinel or a managed service does it: the roles change, then the name leads elsewhere, and no connection is cut. */
async function swapRoles(): Promise<void> {
  await replica.admin.replicaof("NO", "ONE");
  await master.admin.replicaof("127.0.0.1", replica.port);
  endpoint.targetPort = portOf(replica.url);
}

test("a master that became a replica is left: the same address leads to the new one, with all that was committed", async () => {
  const first = await store.acquire(0);
  const marks = {
    seq: 1,
    offsets: {},
    clock: null,
    published: 0,
    policy: "p",
    migrating: null,
    silentBelow: null,
  };
  const commit = { epoch: first.epoch, expectedSeq: 0, writes: [], marks, policyText: null };
  expect(await store.commit(0, commit)).toEqual({ kind: "applied" });
  await replicated(1);

  await swapRoles();
  const next = { ...commit, expectedSeq: 1, marks: { ...marks, seq: 2 } };
  const refused = await store.commit(0, next).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(RetriableError);
  expect(refused).toMatchObject({ code: "REDIS_UNAVAILABLE" });
  await expect
    .poll(
      () =>
        store.acquire(0).then(
          ({ marks }) => marks?.seq,
          () => null,
        ),
      { timeout: 5000 },
    )
    .toBe(1);
  expect(endpoint.targetPort).toBe(portOf(replica.url));
});

test("a replica behind the address is refused at the start, by its name", async () => {
  endpoint.targetPort = portOf(replica.url);
  await expect(store.check()).rejects.toMatchObject({ code: "REDIS_REPLICA", retriable: false });
});

test("what was read of a former master that came back is not taken for the present one's: the position must come from the same server (A4)", async () => {
  const { epoch } = await store.acquire(0);
  const marks = {
    seq: 1,
    offsets: {},
    clock: null,
    published: 0,
    policy: "p",
    migrating: null,
    silentBelow: null,
  };
  const write = (state: number): CustomerWrite => ({
    customerId: "a",
    head: Buffer.from([0, 0, state]),
    chunks: [],
    deadlineAt: null,
  });
  const commit = { epoch, expectedSeq: 0, writes: [write(1)], marks, policyText: null };
  await store.commit(0, commit);
  await replicated(1);
  // Cut off from each other, both are masters; the address leads to the new one, and the owner commits there.
  await replica.admin.replicaof("NO", "ONE");
  const leadTo = async (server: RedisProcess): Promise<void> => {
    endpoint.targetPort = portOf(server.url);
    endpoint.cut();
    await expect.poll(() => store.nextDue(0).catch(() => "away"), { timeout: 5000 }).toBeNull();
  };
  await leadTo(replica);
  await store.commit(0, { ...commit, expectedSeq: 1, writes: [write(2)], marks: { ...marks, seq: 2 } });
  expect((await store.read(0, ["a"]))[0]?.head[2]).toBe(2);
  expect(await store.position(0)).toEqual({ epoch, seq: 2, damage: null });

  await leadTo(master);
  expect((await store.read(0, ["a"]))[0]?.head[2], "the past").toBe(1);
  await leadTo(replica);
  await expect(store.position(0)).rejects.toMatchObject({ code: "STATE_MOVED", retriable: true });
  expect(await store.position(0)).toEqual({ epoch, seq: 2, damage: null });
});

function portOf(url: string): number {
  return Number(new URL(url).port);
}
