import fc from "fast-check";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { INPUT_TOPICS, type FactTopic } from "../../../src/domain/events.ts";
import type { LateDecoder, SourceRecord } from "../../../src/pipeline/ports.ts";
import { createAvroDecoder } from "../../../src/adapters/avro/decoder.ts";
import { bodyOf, frame, openWire, ownSchema, VALUES, type Wire } from "./wire.ts";

vi.setConfig({ testTimeout: 60_000 });

let wire: Wire;
let decoder: ReturnType<typeof createAvroDecoder> & { readonly late: LateDecoder };
beforeEach(async () => {
  wire = await openWire();
  decoder = createAvroDecoder(wire.registry);
});

function recordOf(topic: FactTopic, value: Buffer | null, given: Partial<SourceRecord> = {}): SourceRecord {
  const key = Buffer.from("c1");
  return { topic, partition: 0, offset: 0, arrivedAt: null, key, value, headers: [], ...given };
}

function valueOf(topic: FactTopic, changed: object = {}): Buffer {
  return frame(wire.ids[topic], bodyOf(ownSchema(topic), { ...VALUES[topic], ...changed }));
}

/** Only a schema that has been met can be glimpsed at. */
async function meet(topic: FactTopic): Promise<void> {
  await decoder.decode(recordOf(topic, valueOf(topic)));
}

describe("a record that is decoded when it is folded", () => {
  test.each(INPUT_TOPICS)("%s: shows whose and when, and is then what it is at once", async (topic) => {
    const record = recordOf(topic, valueOf(topic));
    expect(decoder.late.glimpse(record)).toBeNull();
    await meet(topic);
    const glimpse = decoder.late.glimpse(record);
    expect(glimpse).toEqual({
      kind: "glimpse",
      customerId: "c1",
      occurredAt: VALUES[topic].occurredAt,
    });
    expect(decoder.late.decode(record, "c1")).toStrictEqual(decoder.decode(record));
  });

  test("whatever its bytes: what a glimpse shows is what decoding finds, or it is a dead letter then as before", async () => {
    for (const topic of INPUT_TOPICS) await meet(topic);
    const edit = fc.record({
      at: fc.nat(60),
      take: fc.constantFrom(0, 1, 1, 2, 30),
      put: fc.uint8Array({ maxLength: 9 }),
    });
    const edits = fc.array(edit, { maxLength: 2 });
    fc.assert(
      fc.property(fc.constantFrom(...INPUT_TOPICS), edits, (topic, each) => {
        let value = valueOf(topic);
        for (const { at, take, put } of each) {
          const from = 5 + (at % (value.length - 4));
          value = Buffer.concat([value.subarray(0, from), put, value.subarray(from + take)]);
        }
        const record = recordOf(topic, value);
        const glimpse = decoder.late.glimpse(record);
        if (glimpse === null) return;
        const late = decoder.late.decode(record, glimpse.customerId);
        expect(late).toStrictEqual(decoder.decode(record));
        const { customerId, occurredAt } = glimpse;
        if (late.kind === "event") expect(late.event).toMatchObject({ customerId, occurredAt });
      }),
      { numRuns: 2_000 },
    );
  });

  test("texts as long as they may be", async () => {
    await meet("surveys");
    for (const length of [63, 64, 65, 511, 512]) {
      const [eventId, customerId] = ["e".repeat(length), "c".repeat(length)];
      const record = recordOf("surveys", valueOf("surveys", { eventId, customerId }), {
        key: Buffer.from(customerId),
      });
      expect(decoder.late.glimpse(record)).toMatchObject({ customerId });
      expect(decoder.late.decode(record, customerId)).toStrictEqual(decoder.decode(record));
    }
  });

  test.each([
    ["no value", { value: null }],
    ["no key", { key: null }],
    ["another's key", { key: Buffer.from("c2") }],
    ["a schema id in a header", { headers: [["__value_schema_id", Buffer.alloc(5)]] as const }],
  ])("%s shows nothing", async (_what, given) => {
    await meet("surveys");
    expect(decoder.late.glimpse(recordOf("surveys", valueOf("surveys"), given))).toBeNull();
  });

  test.each([
    ["before 1990", { occurredAt: 5 }],
    ["of a customer whose id is not ASCII", { customerId: "é1" }],
  ])("one %s shows nothing", async (_what, changed) => {
    await meet("surveys");
    const key = Buffer.from("customerId" in changed ? changed.customerId : "c1");
    expect(decoder.late.glimpse(recordOf("surveys", valueOf("surveys", changed), { key }))).toBeNull();
  });

  test("of a writer whose records begin otherwise shows nothing", async () => {
    const { fields, ...schema } = ownSchema("surveys");
    const turned = { ...schema, fields: [...fields].reverse() };
    const value = frame(await wire.writer(turned), bodyOf(turned, VALUES.surveys));
    const record = recordOf("surveys", value);
    expect(await decoder.decode(record)).toMatchObject({ kind: "event" });
    expect(decoder.late.glimpse(record)).toBeNull();
  });
});
