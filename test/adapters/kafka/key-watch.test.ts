import type { KafkaMessage } from "kafkajs";
import { describe, expect, test } from "vitest";
import { KeyWatch } from "../../../src/adapters/kafka/key-watch.ts";
import { murmur2, partitionOf } from "../../../src/shared/murmur2.ts";

const SHARDS = 4;

/** Records of one partition: keys that belong there, or in the one beside it. */
function messages(partition: number, count: number, isAstray = false, from = 0): KafkaMessage[] {
  const found: KafkaMessage[] = [];
  const wanted = isAstray ? (partition + 1) % SHARDS : partition;
  for (let i = from; found.length < count; i++) {
    const key = Buffer.from(`customer-${i}`);
    if (partitionOf(key, SHARDS) !== wanted) continue;
    found.push({
      key,
      value: null,
      timestamp: "0",
      attributes: 0,
      offset: String(found.length),
      headers: {},
    });
  }
  return found;
}

function watch(
  shards = SHARDS,
  ...warned: readonly string[]
): { readonly keys: KeyWatch; readonly warnings: object[] } {
  const warnings: object[] = [];
  const logger = { warn: (fields: object) => warnings.push(fields) };
  return { keys: new KeyWatch({ prefix: "x.", shards, logger, warned: new Set(warned) }), warnings };
}

describe("keys are looked at while they are read (A3)", () => {
  test("keys where murmur2 puts them, and none at all, say nothing", () => {
    const { keys, warnings } = watch();
    for (let partition = 0; partition < SHARDS; partition++) {
      expect(keys.look("orders", partition, messages(partition, 500))).toBeNull();
    }
    const keyless = messages(0, 3).map((message) => ({ ...message, key: null }));
    expect(keys.look("orders", 1, keyless)).toBeNull();
    expect(warnings).toEqual([]);
  });

  test("another partitioner is refused, with hash and place and without the key", () => {
    const { keys } = watch();
    expect(keys.look("orders", 0, messages(0, 20))).toBeNull();
    const error = keys.look("orders", 2, messages(2, 30, true));
    expect(error).toMatchObject({ code: "KEYS_MISPLACED", retriable: false });
    const hash = (murmur2(messages(2, 1, true)[0]?.key as Buffer) >>> 0).toString(16).padStart(8, "0");
    expect(error?.message).toContain(`x.orders: 30 of`);
    expect(error?.message).toContain(
      `offset 0 of partition 2 has a key with hash ${hash}, which belongs in partition 3 of 4`,
    );
    expect(error?.message).not.toContain("customer-");
  });

  test("records one by one, as a quiet topic brings them, add up", () => {
    const { keys } = watch();
    const verdicts = messages(1, 3, true).map((message) => keys.look("surveys", 1, [message])?.code ?? null);
    expect(verdicts).toEqual([null, null, "KEYS_MISPLACED"]);
  });

  test("the same stray key again and again is one, and it is warned of once a topic", () => {
    const { keys, warnings } = watch();
    for (let i = 0; i < 50; i++) expect(keys.look("orders", 1, messages(1, 1, true))).toBeNull();
    expect(warnings).toMatchObject([{ topic: "x.orders", partition: 1, belongsIn: 2 }]);
  });

  test("what the check at the start has warned of is not said again, other topics are", () => {
    const { keys, warnings } = watch(SHARDS, "x.orders");
    expect(keys.look("orders", 1, messages(1, 1, true))).toBeNull();
    expect(keys.look("surveys", 1, messages(1, 1, true))).toBeNull();
    expect(warnings).toMatchObject([{ topic: "x.surveys" }]);
  });

  test("few strays among many that sit right are no partitioner", () => {
    const { keys } = watch();
    for (let i = 0; i < 40; i++) keys.look("orders", 0, messages(0, 8, false, i * 200));
    expect(keys.look("orders", 0, messages(0, 5, true))).toBeNull();
  });

  test("with one partition every key is right", () => {
    expect(watch(1).keys.look("orders", 0, messages(0, 20, true))).toBeNull();
  });
});
