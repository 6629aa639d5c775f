import { beforeEach, describe, expect, test } from "vitest";
import { createAvroEncoder, decodeChange } from "../../src/adapters/avro/encoder.ts";
import { acceptEvent, type Decoded } from "../../src/domain/accept.ts";
import { FACT_TOPICS, type FactTopic } from "../../src/domain/events.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import {
  bodyOf,
  frame,
  openWire,
  ownSchema,
  VALUES,
  type Field,
  type Schema,
  type Wire,
} from "../adapters/avro/wire.ts";
import { changeOf } from "../contract/test-output.ts";

let wire: Wire;
beforeEach(async () => {
  wire = await openWire();
});

async function readBack(topic: FactTopic, schema: Schema, value: object): Promise<Decoded> {
  const id = await wire.writer(schema);
  return wire.decode(topic, frame(id, bodyOf(schema, value)));
}

/** A schema with its fields as the change makes them. */
function evolved(schema: Schema, change: (fields: readonly Field[]) => readonly Field[]): Schema {
  return { ...schema, fields: change(schema.fields) };
}

const retyped = (schema: Schema, name: string, type: unknown): Schema =>
  evolved(schema, (fields) => fields.map((field) => (field.name === name ? { name, type } : field)));

/** Fields that this version does not know, of each kind of type. */
const NEW_FIELDS: readonly Field[] = [
  { name: "addedText", type: "string", default: "" },
  { name: "addedOptional", type: ["null", { type: "long", logicalType: "timestamp-millis" }], default: null },
  { name: "addedList", type: { type: "array", items: { type: "map", values: "double" } }, default: [] },
  {
    name: "addedPart",
    type: {
      type: "record",
      name: "Added",
      fields: [
        { name: "mood", type: { type: "enum", name: "Mood", symbols: ["GOOD", "BAD"] } },
        { name: "hash", type: { type: "fixed", name: "Hash", size: 4 } },
        { name: "either", type: ["int", "string", "bytes"] },
      ],
    },
  },
];
const NEW_VALUES = {
  addedText: "new",
  addedOptional: 1,
  addedList: [{ a: 1.5 }, {}],
  addedPart: { mood: "BAD", hash: Buffer.from([1, 2, 3, 4]), either: "text" },
};

describe.each(FACT_TOPICS)("records of %s (A6)", (topic) => {
  const schema = ownSchema(topic);
  const value: Readonly<Record<string, unknown>> = VALUES[topic];
  const expected = acceptEvent(topic, value);

  test("by a newer writer with more fields are read without them", async () => {
    const newer = evolved(schema, (fields) => [NEW_FIELDS[3]!, ...fields, ...NEW_FIELDS.slice(0, 3)]);
    expect(await readBack(topic, newer, { ...value, ...NEW_VALUES })).toEqual(expected);
  });

  test("by an older writer without a field that has a default are read with it", async () => {
    const optional = schema.fields.filter((field) => "default" in field);
    const without = async (missing: readonly Field[]): Promise<void> => {
      const names = missing.map(({ name }) => name);
      const older = evolved(schema, (fields) => fields.filter(({ name }) => !names.includes(name)));
      const rest = Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
      const filled = { ...rest, ...Object.fromEntries(missing.map((field) => [field.name, field.default])) };
      expect(await readBack(topic, older, rest), names.join()).toEqual(acceptEvent(topic, filled));
    };
    for (const field of optional) await without([field]);
    await without(optional);
  });

  test("by a writer with another order of fields are the same", async () => {
    expect(
      await readBack(
        topic,
        evolved(schema, (fields) => fields.toReversed()),
        value,
      ),
    ).toEqual(expected);
  });

  test("by a writer whose longs were ints, or whose optional fields were not optional, are the same", async () => {
    const narrow = (type: unknown): unknown => {
      if (Array.isArray(type)) return type[1] as unknown;
      return type === "long" ? "int" : type;
    };
    const older = evolved(schema, (fields) =>
      fields
        .filter(({ name }) => value[name] !== null)
        .map(({ name, type }) => ({ name, type: narrow(type) })),
    );
    expect(await readBack(topic, older, value)).toEqual(expected);
  });

  test("by a writer that lacks a field without default are undecodable", async () => {
    const older = evolved(schema, (fields) => fields.filter(({ name }) => name !== "customerId"));
    expect(await readBack(topic, older, value)).toMatchObject({
      reason: "undecodable",
      detail: expect.stringContaining("customerId") as string,
    });
  });
});

describe("a kind that this version does not know", () => {
  const orders = ownSchema("orders");

  test("as a text is invalid_field and is named", async () => {
    expect(await readBack("orders", orders, { ...VALUES.orders, kind: "SHIPPED" })).toMatchObject({
      reason: "invalid_field",
      detail: expect.stringContaining('"SHIPPED"') as string,
    });
  });

  test("as a symbol of an enum, which no text can be read from, is undecodable and says so", async () => {
    const kind = { type: "enum", name: "Kind", symbols: ["PLACED", "SHIPPED"] };
    const enumerated = retyped(orders, "kind", kind);
    expect(await readBack("orders", enumerated, { ...VALUES.orders, kind: "SHIPPED" })).toMatchObject({
      reason: "undecodable",
      detail: expect.stringContaining("can't be read as orders") as string,
    });
  });
});

test("a sum written as a double, or an instant as a text, is undecodable: nothing is guessed (S2.3)", async () => {
  const orders = ownSchema("orders");
  const asDouble = retyped(orders, "costMinor", "double");
  expect(await readBack("orders", asDouble, { ...VALUES.orders, costMinor: 1.5 })).toMatchObject({
    reason: "undecodable",
  });
  const asText = retyped(orders, "occurredAt", "string");
  expect(await readBack("orders", asText, { ...VALUES.orders, occurredAt: "2025" })).toMatchObject({
    reason: "undecodable",
  });
});

describe("published changes are read by every version", () => {
  const change: SegmentChange = changeOf("c1", "0b0e4f4e-7a58-5f0c-8a38-8a4d4f8b8f4e", 7);

  test("as this version wrote them", async () => {
    const encoder = await createAvroEncoder(wire.registry, "");
    expect(await decodeChange(wire.registry, encoder.change(change))).toEqual(change);
  });

  test("by a newer writer with more fields, in another order", async () => {
    const newer = evolved(ownSchema("segment-changes"), (fields) => [...fields, ...NEW_FIELDS.slice(0, 3)]);
    const id = await wire.writer(newer);
    const value = frame(id, bodyOf(newer, { ...change, ...NEW_VALUES }));
    expect(await decodeChange(wire.registry, value)).toEqual(change);
  });

  test("by an older writer without the fields that have a default", async () => {
    const older = evolved(ownSchema("segment-changes"), (fields) =>
      fields.filter((field) => !("default" in field)),
    );
    const id = await wire.writer(older);
    expect(await decodeChange(wire.registry, frame(id, bodyOf(older, change)))).toEqual({
      ...change,
      levers: null,
      supersedes: null,
    });
  });

  test("by ids of the registry that is asked, not of another", async () => {
    const other = await openWire();
    const schema = ownSchema("segment-changes");
    const one = evolved(schema, (fields) => [...fields, NEW_FIELDS[0]!]);
    const another = evolved(schema, (fields) => [NEW_FIELDS[0]!, ...fields]);
    const id = await wire.writer(one);
    expect(await other.writer(another)).toBe(id);
    const value = { ...change, ...NEW_VALUES };
    expect(await decodeChange(wire.registry, frame(id, bodyOf(one, value)))).toEqual(change);
    expect(await decodeChange(other.registry, frame(id, bodyOf(another, value)))).toEqual(change);
  });
});
