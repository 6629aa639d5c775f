import { expect, test } from "vitest";
import { RefusedError } from "../../src/pipeline/errors.ts";
import { DEFAULT_SHARD_OPTIONS } from "../../src/pipeline/options.ts";
import type { ShardLog, ShardSource, StateStore } from "../../src/pipeline/ports.ts";
import { Processor } from "../../src/pipeline/processor.ts";
import { SILENT_TELEMETRY } from "../../src/pipeline/telemetry.ts";
import { policyFromText, policyText } from "../../src/app/policy-file.ts";
import { order } from "./facts.ts";
import { portOf } from "../port-of.ts";
import { codec, POLICY, World } from "./world.ts";

type Handler = Parameters<ShardSource["start"]>[0];
const quiet = (): void => undefined;

/** A processor of a group in the test's hands. */
async function start(
  world: World,
  store: StateStore = world.store.inner,
): Promise<{ processor: Processor; group: Handler; open: (shard: number) => ShardLog }> {
  let group!: Handler;
  const source: ShardSource = {
    start: (handler) => Promise.resolve(void (group = handler)),
    stop: () => Promise.resolve(),
  };
  const processor = new Processor(
    {
      store,
      codec,
      decoder: { decode: ({ decoded }) => decoded! },
      clock: world.clock,
      telemetry: SILENT_TELEMETRY,
      logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      policy: POLICY,
      policies: { text: policyText, parse: policyFromText },
      options: { ...DEFAULT_SHARD_OPTIONS, commitIntervalMs: 0, sweepIntervalMs: 0, backoffMs: [1, 2] },
    },
    source,
    1000,
  );
  expect(processor.troubles()).toEqual(["has not joined the group yet"]);
  await processor.start();
  return { processor, group, open: (shard) => world.log.open(shard) };
}

test("it runs what it is given, is ready when all of it runs, and drains what is taken away", async () => {
  const world = new World({ shards: 2 });
  const { processor, group, open } = await start(world);
  expect(processor.troubles()).toEqual([]);
  group.assigned(1, open(1));
  group.assigned(0, open(0));
  expect(processor.shards).toEqual([0, 1]);
  expect(processor.troubles()).toEqual(["shard 1 is acquiring", "shard 0 is acquiring"]);
  await world.until(() => processor.troubles().length === 0);
  await world.append(order("a", 1));
  await group.revoked(0);
  expect(processor.shards).toEqual([1]);
  await processor.stop();
  expect(processor.shards).toEqual([]);
});

test("a store that can't be reached: not ready, and why, until it can (A4)", async () => {
  const world = new World();
  let isAway = true;
  const { RetriableError } = await import("../../src/pipeline/errors.ts");
  const store: StateStore = {
    ...world.store.inner,
    acquire: (shard) =>
      isAway
        ? Promise.reject(new RetriableError("REDIS_TROUBLE", "connection refused"))
        : world.store.inner.acquire(shard),
  };
  const { processor, group, open } = await start(world, store);
  group.assigned(0, open(0));
  await world.until(() => processor.troubles().includes("shard 0 is waiting: connection refused"), 1);
  isAway = false;
  await world.until(() => processor.troubles().length === 0, 1);
  await processor.stop();
});

test("what waiting can't mend ends the process, with what was found", async () => {
  const world = new World();
  const store: StateStore = {
    ...world.store.inner,
    acquire: () => Promise.reject(new RefusedError("STATE_LOST", "all is gone")),
  };
  const { processor, group, open } = await start(world, store);
  group.assigned(0, open(0));
  await expect(processor.ended).rejects.toMatchObject({ code: "STATE_LOST" });
  await processor.stop();
});

test("a shard that the group hands out while the process leaves is not begun", async () => {
  const world = new World({ shards: 2 });
  const { processor, group, open } = await start(world);
  group.assigned(0, open(0));
  await world.until(() => processor.troubles().length === 0);
  const stopped = processor.stop();
  group.assigned(1, open(1));
  await stopped;
  expect(processor.shards).toEqual([]);
});

test("what is drained is said to be, and what is still busy after the drain time as well", async () => {
  const world = new World({ shards: 2 });
  const { processor, group, open } = await start(world);
  const stuck: ShardLog = open(1);
  group.assigned(0, open(0));
  group.assigned(1, { ...portOf(stuck), commit: () => new Promise(() => undefined) });
  await world.until(() => processor.troubles().length === 1);
  expect(processor.troubles()).toEqual(["shard 1 is acquiring"]);
  let abandoned: number[] | null = null;
  void processor.drain().then((shards) => (abandoned = shards));
  await world.breathe();
  expect(abandoned).toBeNull();
  world.clock.advanceBy(1000);
  await world.until(() => abandoned !== null);
  expect(abandoned).toEqual([1]);
  expect(processor.troubles()).toEqual(["is stopping"]);
  expect(processor.shards).toEqual([]);
});

test("in time, nothing is given up", async () => {
  const world = new World();
  const { processor, group, open } = await start(world);
  group.assigned(0, open(0));
  await world.until(() => processor.troubles().length === 0);
  expect(await processor.drain()).toEqual([]);
});
