import { beforeEach, describe, expect, test, vi } from "vitest";
import { createAvroDecoder } from "../../../src/adapters/avro/decoder.ts";
import { acceptEvent } from "../../../src/domain/accept.ts";
import { FACT_TOPICS } from "../../../src/domain/events.ts";
import { bodyOf, frame, openWire, ownSchema, VALUES, type Wire } from "./wire.ts";

const ID_HEADER = "__value_schema_id";
const SURVEY = bodyOf(ownSchema("surveys"), VALUES.surveys);

let wire: Wire;
beforeEach(async () => {
  wire = await openWire();
});

describe("framing (A6)", () => {
  test.each(FACT_TOPICS)("%s: 0 and four bytes of id before the body", async (topic) => {
    const value = frame(wire.ids[topic], bodyOf(ownSchema(topic), VALUES[topic]));
    const decoded = await wire.decode(topic, value);
    expect(decoded).toEqual(acceptEvent(topic, VALUES[topic]));
    expect(decoded.kind).toBe("event");
  });

  test("the id in the header, and the bare body", async () => {
    const header = frame(wire.ids.surveys, Buffer.alloc(0));
    const headers = [
      ["trace", Buffer.from("t")],
      [ID_HEADER, header],
    ] as const;
    expect(await wire.decode("surveys", SURVEY, { headers })).toEqual(acceptEvent("surveys", VALUES.surveys));
  });

  test.each([
    ["empty", Buffer.alloc(0)],
    ["too short", Buffer.from([0, 0, 0, 1])],
    ["too long", Buffer.from([0, 0, 0, 0, 1, 0])],
    ["of another kind", Buffer.from([7, 0, 0, 0, 1])],
    ["a GUID, which ids can't be looked up by", Buffer.from([1, ...new Uint8Array(16)])],
    ["a text", Buffer.from("schema 1")],
  ])("a header that is %s is undecodable, whatever the value looks like", async (_what, header) => {
    const value = frame(wire.ids.surveys, SURVEY);
    expect(await wire.decode("surveys", value, { headers: [[ID_HEADER, header]] })).toMatchObject({
      reason: "undecodable",
      detail: expect.stringContaining(ID_HEADER) as string,
    });
  });

  test.each([
    ["null", null],
    ["empty", Buffer.alloc(0)],
    ["shorter than an id", Buffer.from([0, 0, 0, 1])],
    ["JSON", Buffer.from(JSON.stringify(VALUES.surveys))],
    ["an id alone", frame(3, Buffer.alloc(0))],
  ])("a value that is %s is undecodable", async (_what, value) => {
    expect(await wire.decode("surveys", value)).toMatchObject({ reason: "undecodable" });
  });

  test("bytes left over, or missing, are undecodable", async () => {
    const whole = frame(wire.ids.surveys, SURVEY);
    expect(await wire.decode("surveys", Buffer.concat([whole, Buffer.of(0)]))).toMatchObject({
      reason: "undecodable",
    });
    expect(await wire.decode("surveys", whole.subarray(0, -1))).toMatchObject({ reason: "undecodable" });
  });
});

describe("schemas are looked up", () => {
  test("once for an id and topic: then records are decoded without a promise", async () => {
    const schemaById = vi.fn(wire.registry.schemaById.bind(wire.registry));
    const decoder = createAvroDecoder({ ...wire.registry, schemaById });
    const record = {
      topic: "surveys" as const,
      partition: 0,
      offset: 0,
      arrivedAt: null,
      key: Buffer.from("c1"),
      value: frame(wire.ids.surveys, SURVEY),
      headers: [],
    };
    await decoder.decode(record);
    expect(decoder.decode(record)).toEqual(acceptEvent("surveys", VALUES.surveys));
    expect(schemaById).toHaveBeenCalledTimes(1);
  });

  test("an unknown id is unknown_schema, and asked for once in a while, not once a record", async () => {
    const schemaById = vi.fn(() => Promise.resolve(null));
    const decoder = createAvroDecoder({ ...wire.registry, schemaById });
    const record = {
      topic: "surveys" as const,
      partition: 0,
      offset: 0,
      arrivedAt: null,
      key: Buffer.from("c1"),
      value: frame(4711, SURVEY),
      headers: [],
    };
    for (let i = 0; i < 5; i++) {
      expect(await decoder.decode(record)).toMatchObject({
        reason: "unknown_schema",
        detail: expect.stringContaining("4711") as string,
      });
    }
    expect(schemaById).toHaveBeenCalledTimes(1);
  });

  test("a schema that can't be read as its topic's is undecodable, and tried once", async () => {
    const id = await wire.writer({ type: "record", name: "Other", fields: [{ name: "x", type: "string" }] });
    const schemaById = vi.fn(wire.registry.schemaById.bind(wire.registry));
    const decoder = createAvroDecoder({ ...wire.registry, schemaById });
    const record = {
      topic: "surveys" as const,
      partition: 0,
      offset: 0,
      arrivedAt: null,
      key: Buffer.from("c1"),
      value: frame(id, SURVEY),
      headers: [],
    };
    for (let i = 0; i < 3; i++) expect(await decoder.decode(record)).toMatchObject({ reason: "undecodable" });
    expect(schemaById).toHaveBeenCalledTimes(1);
  });
});

describe("the key (S2.3)", () => {
  const survey = (customerId: string): Buffer =>
    frame(wire.ids.surveys, bodyOf(ownSchema("surveys"), { ...VALUES.surveys, customerId }));

  test.each([
    ["missing", null],
    ["empty", Buffer.alloc(0)],
    ["another customer", Buffer.from("c2")],
    ["the id and more", Buffer.from("c1 ")],
  ])("that is %s is missing_key", async (_what, key) => {
    expect(await wire.decode("surveys", survey("c1"), { key })).toMatchObject({ reason: "missing_key" });
  });

  test("is compared by its UTF-8 bytes", async () => {
    expect(await wire.decode("surveys", survey("żółć"), { key: Buffer.from("żółć") })).toMatchObject({
      kind: "event",
    });
    expect(
      await wire.decode("surveys", survey("żółć"), { key: Buffer.from("żółć", "latin1") }),
    ).toMatchObject({
      reason: "missing_key",
    });
  });
});

describe("texts that are not UTF-8 are undecodable: replaced, two ids would become one", () => {
  const BAD = Buffer.from([0x65, 0xff]);
  const swap = (bytes: Buffer, text: string): Buffer => {
    const at = bytes.indexOf(text);
    return Buffer.concat([bytes.subarray(0, at), BAD, bytes.subarray(at + text.length)]);
  };

  test.each([
    ["eventId", "orders", { ...VALUES.orders, eventId: "##" }],
    ["orderId", "orders", { ...VALUES.orders, orderId: "##" }],
    ["a category", "orders", { ...VALUES.orders, categories: ["##"] }],
    ["an attribute's name", "customers", { ...VALUES.customers, attributes: { "##": "x" } }],
    ["an attribute's value", "customers", { ...VALUES.customers, attributes: { x: "##" } }],
  ] as const)("%s", async (_what, topic, value) => {
    const bytes = swap(bodyOf(ownSchema(topic), value), "##");
    expect(await wire.decode(topic, frame(wire.ids[topic], bytes))).toMatchObject({
      reason: "undecodable",
      detail: expect.stringContaining("UTF-8") as string,
    });
  });

  test("not even with a key that holds what it would be replaced by", async () => {
    const bytes = swap(bodyOf(ownSchema("surveys"), { ...VALUES.surveys, customerId: "##" }), "##");
    const decoded = await wire.decode("surveys", frame(wire.ids.surveys, bytes), {
      key: Buffer.from("e\ufffd"),
    });
    expect(decoded).toMatchObject({ reason: "undecodable" });
  });

  test("a text in which somebody else replaced a character stays as it is", async () => {
    const value = { ...VALUES.customers, attributes: { town: "K\ufffdln" } };
    const decoded = await wire.decode(
      "customers",
      frame(wire.ids.customers, bodyOf(ownSchema("customers"), value)),
    );
    expect(decoded).toMatchObject({ event: { attributes: { town: "K\ufffdln" } } });
  });
});

/** Zigzag varint, as Avro writes a long. */
const long = (value: bigint): Buffer => {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
};
describe("longs", () => {
  const schema = ownSchema("inquiries");
  const at = schema.fields.findIndex(({ name }) => name === "handlingCostMinor");
  const inquiry = (cost: bigint): Buffer => {
    const part = (from: number, to?: number): Buffer =>
      bodyOf({ ...schema, fields: schema.fields.slice(from, to) }, VALUES.inquiries);
    return frame(wire.ids.inquiries, Buffer.concat([part(0, at), long(cost), part(at + 1)]));
  };

  test.each([0n, 1n, 2n ** 31n, 2n ** 52n - 1n, 2n ** 52n, 2n ** 52n + 1n, 2n ** 53n - 1n])(
    "%d is read exactly",
    async (cost) => {
      expect(await wire.decode("inquiries", inquiry(cost))).toMatchObject({
        event: { handlingCostMinor: Number(cost) },
      });
    },
  );

  test.each([-1n, -(2n ** 31n), -(2n ** 52n), -(2n ** 52n) - 1n, -(2n ** 53n) + 1n])(
    "%d is negative money",
    async (cost) => {
      expect(await wire.decode("inquiries", inquiry(cost))).toMatchObject({
        reason: "invalid_field",
        detail: expect.stringContaining(`not ${cost}`) as string,
      });
    },
  );

  test.each([2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)])("%d is undecodable", async (cost) => {
    expect(await wire.decode("inquiries", inquiry(cost))).toMatchObject({ reason: "undecodable" });
  });
});

describe("lists that lie about their length", () => {
  const COUNTS = [2n ** 40n, -(2n ** 40n), 2n ** 62n, -(2n ** 62n), 1000n];

  test.each(COUNTS)("%d categories in a record of some bytes are undecodable at once", async (count) => {
    const schema = ownSchema("orders");
    const isCategories = (name: string): boolean => name === "categories";
    const before = {
      ...schema,
      fields: schema.fields.slice(
        0,
        schema.fields.findIndex(({ name }) => isCategories(name)),
      ),
    };
    const body = Buffer.concat([bodyOf(before, VALUES.orders), long(count), long(4n), Buffer.from("x")]);
    expect(await wire.decode("orders", frame(wire.ids.orders, body))).toMatchObject({
      reason: "undecodable",
    });
  });

  test.each(COUNTS)("%d attributes as well", async (count) => {
    const schema = ownSchema("customers");
    const before = { ...schema, fields: schema.fields.slice(0, -1) };
    const body = Buffer.concat([bodyOf(before, VALUES.customers), long(count), long(4n), Buffer.from("x")]);
    expect(await wire.decode("customers", frame(wire.ids.customers, body))).toMatchObject({
      reason: "undecodable",
    });
  });

  test.each([
    ["nulls without end", [long(2n ** 50n)]],
    ["a block that leads backwards", [long(-1n), long(-8n)]],
    ["a block that leads beyond", [long(-1n), long(2n ** 40n)]],
  ])("a field nobody reads, with %s", async (_what, bytes) => {
    for (const type of [
      { type: "array", items: "null" },
      { type: "map", values: "null" },
    ]) {
      const schema = ownSchema("surveys");
      const id = await wire.writer({ ...schema, fields: [...schema.fields, { name: "extra", type }] });
      expect(await wire.decode("surveys", frame(id, Buffer.concat([SURVEY, ...bytes])))).toMatchObject({
        reason: "undecodable",
      });
    }
  });

  test("a list in several blocks, with lengths in bytes, is read and skipped as any other", async () => {
    const schema = ownSchema("surveys");
    const fields = [...schema.fields, { name: "extra", type: { type: "array", items: "int" } }];
    const id = await wire.writer({ ...schema, fields });
    const blocks = [long(-2n), long(2n), long(1n), long(2n), long(1n), long(3n), long(0n)];
    expect(await wire.decode("surveys", frame(id, Buffer.concat([SURVEY, ...blocks])))).toMatchObject({
      kind: "event",
    });
    const orders = ownSchema("orders");
    const at = orders.fields.findIndex(({ name }) => name === "categories");
    const part = (from: number, to: number): Buffer =>
      bodyOf({ ...orders, fields: orders.fields.slice(from, to) }, VALUES.orders);
    const text = (value: string): Buffer => Buffer.concat([long(BigInt(value.length)), Buffer.from(value)]);
    const categories = [long(-1n), long(4n), text("tea"), long(2n), text("a"), text("b"), long(0n)];
    const body = Buffer.concat([part(0, at), ...categories, part(at + 1, orders.fields.length)]);
    expect(await wire.decode("orders", frame(wire.ids.orders, body))).toMatchObject({
      event: { categories: ["tea", "a", "b"] },
    });
  });
});

test("attributes may have any name, also one that JavaScript has a use for", async () => {
  const attributes = JSON.parse('{"__proto__":null,"constructor":"c","toString":"t","":"empty"}') as object;
  const body = bodyOf(ownSchema("customers"), { ...VALUES.customers, attributes });
  const decoded = await wire.decode("customers", frame(wire.ids.customers, body));
  expect(
    decoded.kind === "event" && Object.entries((decoded.event as { attributes: object }).attributes).sort(),
  ).toEqual([
    ["", "empty"],
    ["__proto__", null],
    ["constructor", "c"],
    ["toString", "t"],
  ]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});
