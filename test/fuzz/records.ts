import type { NewRecord } from "../../src/adapters/embedded/embedded-log.ts";
import { Random } from "../../src/app/simulation/random.ts";
import { FACT_TOPICS, type FactTopic } from "../../src/domain/events.ts";
import { DAY_MS } from "../../src/shared/instant.ts";
import { frame, ownSchema, type Wire } from "../adapters/avro/wire.ts";
import { rawAvro, type Entries } from "./raw-avro.ts";

/** Where the clock of a run starts. */
export const BEGIN_AT = Date.UTC(2025, 0, 1);
const PAST_MS = 4 * 365 * DAY_MS;
const CUSTOMERS = 400;
const ORDERS = 3_000;

const SCHEMAS = Object.fromEntries(FACT_TOPICS.map((topic) => [topic, ownSchema(topic)]));

/** What was done to a record; told with what it came to. */
export type Kind = "sound" | "extreme" | "mutated" | "random" | "foreign" | "frame" | "attributes" | "key";

export interface FuzzRecord {
  readonly kind: Kind;
  readonly record: NewRecord;
}

const KINDS: readonly (readonly [Kind, number])[] = [
  ["sound", 0.3],
  ["mutated", 0.3],
  ["extreme", 0.15],
  ["random", 0.05],
  ["foreign", 0.06],
  ["frame", 0.05],
  ["attributes", 0.05],
  ["key", 0.04],
];

/** Schemas that others wrote with; some can be read as a topic's, most can't. */
export interface Foreign {
  readonly id: number;
  readonly schema: unknown;
  readonly values: readonly unknown[];
}

const ODD_NUMBERS = [NaN, Infinity, -Infinity, -0, 2 ** 53, 5e-324, 1.5, -1];

export async function foreignWriters(wire: Wire): Promise<Foreign[]> {
  const of = async (schema: unknown, values: readonly unknown[]): Promise<Foreign> => ({
    id: await wire.writer(schema),
    schema,
    values,
  });
  const orders = ownSchema("orders");
  const retyped = (field: string, type: unknown): unknown => ({
    ...orders,
    fields: orders.fields.map((each) => (each.name === field ? { ...each, type } : each)),
  });
  return Promise.all([
    of("string", ["", "orders", "\u0000"]),
    of("long", [0, 2n ** 63n - 1n, -(2n ** 63n)]),
    of({ type: "map", values: "string" }, [[["__proto__", "x"]], []]),
    of({ type: "array", items: "long" }, [[], [1, 2, 3]]),
    // A double where a whole number belongs, and an int where a long does: the second can be read.
    of(
      retyped("occurredAt", "double"),
      ODD_NUMBERS.map((occurredAt) => ({ ...sound("orders", new Random(1)), occurredAt })),
    ),
    of(
      retyped("amountMinor", ["null", "double"]),
      ODD_NUMBERS.map((amountMinor) => ({ ...sound("orders", new Random(2)), amountMinor })),
    ),
    of(
      retyped("revision", "int"),
      [0, 7].map((revision) => ({ ...sound("orders", new Random(3)), revision })),
    ),
    of({ ...orders, fields: orders.fields.filter(({ name }) => name !== "customerId") }, [
      sound("orders", new Random(4)),
    ]),
    of(
      {
        ...orders,
        fields: [
          ...orders.fields,
          { name: "constructor", type: "string" },
          { name: "__proto__", type: "long" },
        ],
      },
      // Own properties, as JSON.parse makes them.
      [{ ...sound("orders", new Random(5)), ...(JSON.parse('{"constructor":"x","__proto__":1}') as object) }],
    ),
  ]);
}

/** The record of a seed at a place; the same each time, whatever came before it. */
export function recordAt(seed: number, index: number, wire: Wire, foreign: readonly Foreign[]): FuzzRecord {
  const random = new Random(seed, index);
  const kind = kindOf(random);
  // Referrals come from the pipeline itself; now and then from somebody else.
  const topic = random.chance(0.05) ? "referrals" : random.pick(FACT_TOPICS);
  return { kind, record: make(kind, topic, random, wire, foreign) };
}

function kindOf(random: Random): Kind {
  let draw = random.fraction();
  for (const [kind, share] of KINDS) if ((draw -= share) < 0) return kind;
  return "sound";
}

function make(
  kind: Kind,
  topic: FactTopic,
  random: Random,
  wire: Wire,
  foreign: readonly Foreign[],
): NewRecord {
  const fields = sound(topic, random);
  const bytes = (of: FactTopic, value: object): Buffer => frame(wire.ids[of], rawAvro(SCHEMAS[of], value));
  const keyed = (value: Uint8Array | null, key: unknown = fields["customerId"]): NewRecord => ({
    topic,
    value,
    key: typeof key === "string" ? Buffer.from(key, "utf8") : Buffer.from("c1"),
  });
  switch (kind) {
    case "sound":
      return keyed(bytes(topic, fields));
    case "extreme": {
      const extreme = withExtremes(fields, random);
      return keyed(bytes(topic, extreme), extreme["customerId"]);
    }
    case "mutated": {
      const other = random.pick(FACT_TOPICS);
      return keyed(mutate(bytes(topic, fields), () => bytes(other, sound(other, random)), random));
    }
    case "random": {
      const noise = randomBytes(random, random.below(300));
      return keyed(random.chance(0.7) ? frame(random.pick(Object.values(wire.ids)), noise) : noise);
    }
    case "foreign": {
      const { id, schema, values } = random.pick(foreign);
      const value = random.pick(values);
      return keyed(frame(id, rawAvro(schema, value)), (value as { customerId?: string }).customerId);
    }
    case "frame":
      return framed(keyed(bytes(topic, fields)), random);
    case "attributes": {
      const register = {
        ...sound("customers", random),
        kind: "RECORDED",
        attributes: hostileAttributes(random),
      };
      return { ...keyed(bytes("customers", register), register.customerId), topic: "customers" };
    }
    case "key": {
      const key = random.pick([null, Buffer.alloc(0), randomBytes(random, 12), Buffer.alloc(40_000, "x")]);
      return { ...keyed(bytes(topic, fields)), key };
    }
  }
}

type Fields = Record<string, unknown> & { customerId: string };

/** A fact as a business might send it: of few customers and orders, so that facts meet. */
function sound(topic: FactTopic, random: Random): Fields {
  const customerId = `c${random.below(CUSTOMERS)}`;
  const base: Fields = {
    eventId: `e${random.bits()}`,
    customerId,
    occurredAt: BEGIN_AT - random.below(PAST_MS / 1000) * 1000 + random.below(60) * DAY_MS,
    revision: random.below(3),
  };
  switch (topic) {
    case "orders":
      return {
        ...base,
        orderId: `o${random.below(ORDERS)}`,
        kind: random.pick(["PLACED", "PLACED", "PLACED", "PAID", "CANCELLED", "REFUNDED"]),
        amountMinor: random.below(500_000),
        currency: random.pick(["EUR", null, "USD"]),
        costMinor: random.below(1_000),
        units: random.below(10),
        categories: random.pick([[], ["tea"], ["tea", "cups"]]),
        dueAt: random.pick([null, BEGIN_AT - random.below(100) * DAY_MS]),
        referredBy: random.pick([null, null, `c${random.below(CUSTOMERS)}`]),
        refundId: `r${random.below(1_000)}`,
      };
    case "inquiries":
      return {
        ...base,
        inquiryId: `i${random.below(ORDERS)}`,
        kind: random.pick(["INFORMATION", "QUOTE", "VISIT", "SUPPORT", "COMPLAINT"]),
        handlingCostMinor: random.below(10_000),
        currency: null,
      };
    case "surveys":
      return {
        ...base,
        surveyId: `s${random.below(ORDERS)}`,
        score: random.below(11),
        scaleMin: random.below(2),
        scaleMax: 10,
      };
    case "customers":
      return {
        ...base,
        kind: random.chance(0.05) ? "ERASED" : "RECORDED",
        source: random.pick(["crm", "shop"]),
        attributes: [
          ["model", random.pick(["B2C", "B2B", null])],
          ["channel", "GROCERY"],
        ],
      };
    case "referrals": {
      const at = BEGIN_AT - random.below(500) * DAY_MS;
      return {
        customerId,
        referredId: `c${random.below(CUSTOMERS)}`,
        orderId: `o${random.below(ORDERS)}`,
        version: random.below(1_000_000),
        spans: random.pick([[], [{ at, from: at, until: null }], [{ at, from: at, until: at + DAY_MS }]]),
      };
    }
  }
}

const NUMBERS: readonly (number | bigint)[] = [
  0,
  -1,
  1,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  1 - 2 ** 53,
  -(2 ** 53),
  2n ** 63n - 1n,
  -(2n ** 63n),
  8.64e15,
  8.64e15 + 1,
  -8.64e15,
  BEGIN_AT,
  631_152_000_000,
  631_151_999_999,
  253_402_300_799_999,
];
const TEXTS: readonly (string | Uint8Array)[] = [
  "",
  "\u0000",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "null",
  "\ufeff",
  "\u202e\u200b\u2066",
  "a\u0301\u0327",
  "👩‍👩‍👧‍👦",
  "\u{10ffff}",
  "\ufffd",
  "x".repeat(512),
  "é".repeat(257),
  "y".repeat(20_000),
  "../../etc",
  "{c1}",
  "*",
  Buffer.from([0xff, 0xfe]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xc0, 0x80]),
  Buffer.from([0xf4, 0x90, 0x80, 0x80]),
];

function withExtremes(fields: Fields, random: Random): Fields {
  const odd: Fields = { ...fields };
  for (let times = 1 + random.below(3); times > 0; times--) {
    const name = random.pick(Object.keys(odd));
    odd[name] = extremeOf(name, odd[name], random);
  }
  return odd;
}

function extremeOf(name: string, value: unknown, random: Random): unknown {
  if (name === "score" || name.startsWith("scale")) return random.pick([-(2 ** 31), 2 ** 31 - 1, -1, 11]);
  if (typeof value === "number") return random.pick(NUMBERS);
  if (typeof value === "string") return random.pick(TEXTS);
  if (name === "dueAt") return random.pick(NUMBERS);
  if (name === "categories") return Array.from({ length: random.below(100) }, () => random.pick(TEXTS));
  if (name === "attributes") return hostileAttributes(random);
  if (name === "spans") {
    return Array.from({ length: random.below(200) }, () => ({
      at: random.pick(NUMBERS),
      from: random.pick(NUMBERS),
      until: random.pick([null, ...NUMBERS]),
    }));
  }
  return value;
}

function hostileAttributes(random: Random): Entries {
  switch (random.below(4)) {
    case 0:
      return TEXTS.map((name) => [name, random.pick([null, ...TEXTS])]);
    case 1:
      return Array.from({ length: random.below(3_000) }, (_, i) => [
        `n${i % 500}`,
        "v".repeat(random.below(20)),
      ]);
    case 2:
      return [[Array.from({ length: 500 }, (_, i) => `d${i}`).join("."), "deep"]];
    default:
      return ["__proto__", "__proto__", "constructor", "prototype"].map((name) => [
        name,
        random.pick(["x", null]),
      ]);
  }
}

function mutate(bytes: Buffer, other: () => Buffer, random: Random): Buffer {
  let mutated = bytes;
  for (let times = 1 + random.below(4); times > 0; times--) mutated = mutateOnce(mutated, other, random);
  return mutated;
}

function mutateOnce(bytes: Buffer, other: () => Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const after = (skip: number): Buffer => bytes.subarray(Math.min(bytes.length, at + skip));
  switch (random.below(7)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
      return flipped;
    }
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), after(1 + random.below(8))]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), randomBytes(random, 1 + random.below(8)), after(0)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), other().subarray(random.below(40))]);
    case 5:
      // A length or a count that announces more than there is.
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + random.below(10), 0xff), after(1)]);
    default:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.below(at + 1))]);
  }
}

function framed(record: NewRecord, random: Random): NewRecord {
  const value = record.value ?? new Uint8Array();
  const header = (bytes: Uint8Array): NewRecord => ({
    ...record,
    value: value.subarray(5),
    headers: [["__value_schema_id", bytes]],
  });
  switch (random.below(6)) {
    case 0:
      return { ...record, value: null };
    case 1:
      return { ...record, value: value.subarray(0, random.below(6)) };
    case 2:
      return { ...record, value: frame(random.bits(), value.subarray(5)) };
    case 3:
      return header(value.subarray(0, 5));
    case 4:
      return header(randomBytes(random, random.below(20)));
    default:
      return { ...record, headers: [["__proto__", randomBytes(random, 4)]] };
  }
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}
