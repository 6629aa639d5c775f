import { afterAll, beforeAll } from "vitest";
import { startKafkaRig, type KafkaRig } from "./kafka-harness.ts";
import { describeLog } from "./log-suite.ts";

/** As many as the suite has tests, and some. */
const SHARDS = 24;
let rig: KafkaRig;

beforeAll(async () => {
  rig = await startKafkaRig(SHARDS, "at-least-once");
});
afterAll(async () => {
  await rig.close();
});

/** Without faults nothing is published twice: the suite is the same. */
describeLog("Kafka without transactions", () => rig.harness(), {
  patienceMs: 15_000,
  isDisturbedByPredecessors: true,
});
