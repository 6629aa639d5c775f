import { afterAll, beforeAll } from "vitest";
import { startKafkaRig, type KafkaRig } from "./kafka-harness.ts";
import { describeLog } from "./log-suite.ts";

/** As many as the suite has tests, and some. */
const SHARDS = 24;
let rig: KafkaRig;

beforeAll(async () => {
  rig = await startKafkaRig(SHARDS, "exactly-once");
});
afterAll(async () => {
  await rig.close();
});

describeLog("Kafka", () => rig.harness(), { patienceMs: 15_000 });
