import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startProcessor, type RunningProcessor } from "../../src/app/compose-kafka.ts";
import { setup } from "../../src/app/setup.ts";
import type { OrderPlaced } from "../../src/domain/events.ts";
import { SILENT_TELEMETRY } from "../../src/pipeline/telemetry.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { testPolicy } from "../policy.ts";
import { openRig, type Rig } from "./bad-input-rig.ts";

const PARTITIONS = 2;
const CUSTOMERS = ["anna", "bert", "carl", "dora"];
const quiet = (): void => undefined;
const LOGGER = { debug: quiet, info: quiet, warn: quiet, error: quiet };

let rig: Rig;
beforeAll(async () => {
  rig = await openRig(PARTITIONS);
});
afterAll(() => rig.close());

async function buy(round: number): Promise<void> {
  for (const customerId of CUSTOMERS) {
    const event: OrderPlaced = {
      topic: "orders",
      eventId: `${customerId}-${round}`,
      customerId,
      occurredAt: instant(Date.now() - (20 - round) * DAY_MS),
      orderId: `${customerId}-${round}`,
      kind: "PLACED",
      revision: 0,
      amountMinor: 4990,
      currency: null,
      costMinor: 0,
      units: 1,
      categories: [],
      dueAt: null,
      referredBy: null,
    };
    const key = Buffer.from(customerId);
    await rig.send("orders", [
      { key, value: rig.encoder.event(event), partition: partitionOf(key, PARTITIONS) },
    ]);
  }
}

async function run(start: () => Promise<RunningProcessor>): Promise<void> {
  const running = await start();
  try {
    while (running.processor.shards.length < PARTITIONS || running.processor.troubles().length > 0) {
      await Promise.race([running.processor.ended, sleep(20)]);
    }
    await running.processor.settled();
  } finally {
    await running.stop();
  }
}

/** Changes by customer, tombstones none. */
async function published(): Promise<string[]> {
  return (await rig.records("segment-changes")).map(
    ({ key, headers }) => `${String(key)} ${String(headers?.["ce_id"])}`,
  );
}

test("the way from exactly-once to at-least-once goes on where it was, the way back is refused (decision 0013)", async () => {
  const { servers } = rig;
  const exactly = (): Promise<RunningProcessor> => rig.start(testPolicy());
  const atLeast = (): Promise<RunningProcessor> =>
    startProcessor({
      servers,
      policy: testPolicy(),
      logger: LOGGER,
      telemetry: SILENT_TELEMETRY,
      drainMs: 5_000,
      delivery: "at-least-once",
    });
  await buy(1);
  await run(exactly);
  const first = await published();
  expect(new Set(first.map((each) => each.split(" ")[0]))).toEqual(new Set(CUSTOMERS));

  await expect(run(atLeast)).rejects.toMatchObject({ code: "TOPICS_MISSING" });
  await setup({
    servers,
    partitions: PARTITIONS,
    replicationFactor: 1,
    changesRetentionMs: 3_600_000,
    delivery: "at-least-once",
    logger: LOGGER,
  });
  await buy(2);
  await run(atLeast);
  await run(atLeast);
  const second = await published();
  expect(second.length).toBeGreaterThan(first.length);
  expect(second.filter((each) => first.includes(each)).sort()).toEqual([...first].sort());
  expect(new Set(second).size).toBe(second.length);

  await expect(run(exactly)).rejects.toMatchObject({ code: "DELIVERY_CHANGED" });
  expect(await published()).toEqual(second);
});
