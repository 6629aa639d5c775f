import { describe, expect, test } from "vitest";
import { SCHEMA_TOPICS, schemaText } from "../../src/adapters/avro/schemas.ts";

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly doc?: string;
  readonly default?: unknown;
}

interface Seen {
  readonly path: string;
  readonly field: Field;
}

function* fieldsOf(type: unknown, path: string): Generator<Seen> {
  if (Array.isArray(type)) for (const branch of type) yield* fieldsOf(branch, path);
  if (type === null || typeof type !== "object" || Array.isArray(type)) return;
  const { type: inner, fields, items, values } = type as Record<string, unknown>;
  for (const field of (fields ?? []) as Field[]) {
    yield { path: `${path}.${field.name}`, field };
    yield* fieldsOf(field.type, `${path}.${field.name}`);
  }
  for (const part of [inner, items, values]) yield* fieldsOf(part, path);
}

const INSTANT = JSON.stringify({ type: "long", logicalType: "timestamp-millis" });
const isInstant = (type: unknown): boolean =>
  (Array.isArray(type) ? type : [type]).some((branch) => JSON.stringify(branch) === INSTANT);

describe.each(SCHEMA_TOPICS)("the schema of %s (A6)", (topic) => {
  const seen = [...fieldsOf(JSON.parse(schemaText(topic)), topic)];
  const tell = (some: readonly Seen[]): string[] => some.map(({ path }) => path);

  test("says of every field what it is, in a sentence", () => {
    expect(tell(seen.filter(({ field }) => !/^.+\.$/.test(field.doc ?? "")))).toEqual([]);
  });

  test("says the unit of every instant, duration and sum", () => {
    const instants = seen.filter(
      ({ field }) => isInstant(field.type) && /\b(ms|milliseconds)\b/.exec(field.doc ?? "") === null,
    );
    const durations = seen.filter(
      ({ field }) => field.name.endsWith("Ms") && !/\bms\b/.test(field.doc ?? ""),
    );
    const sums = seen.filter(
      ({ field }) => field.name.endsWith("Minor") && !/[Mm]inor units/.test(field.doc ?? ""),
    );
    expect(tell([...instants, ...durations, ...sums])).toEqual([]);
  });

  test("names by …At or `at` what is an instant, and marks it as one", () => {
    const named = seen.filter(({ field }) => /(^a|A)t$/.test(field.name) && !isInstant(field.type));
    expect(tell(named)).toEqual([]);
  });

  test("has no enum: a reader must meet a new value as one it can refuse by name", () => {
    expect(JSON.stringify(JSON.parse(schemaText(topic)))).not.toContain('"enum"');
  });

  test("gives an optional field the default null", () => {
    const isInput = ["orders", "inquiries", "surveys", "customers"].includes(topic);
    const optional = seen.filter(({ field }) => Array.isArray(field.type) && field.type[0] === "null");
    expect(tell(optional.filter(({ field }) => isInput && field.default !== null))).toEqual([]);
  });
});

test("the defaults are those of S2", () => {
  const defaults = (topic: "orders" | "inquiries" | "surveys" | "customers"): object => {
    const { fields } = JSON.parse(schemaText(topic)) as { fields: Field[] };
    return Object.fromEntries(
      fields.filter((field) => "default" in field).map((field) => [field.name, field.default]),
    );
  };
  expect(defaults("orders")).toEqual({
    revision: 0,
    amountMinor: null,
    currency: null,
    costMinor: 0,
    units: 0,
    categories: [],
    dueAt: null,
    referredBy: null,
    refundId: null,
  });
  expect(defaults("inquiries")).toEqual({ revision: 0, handlingCostMinor: 0, currency: null });
  expect(defaults("surveys")).toEqual({ scaleMax: 10, revision: 0 });
  expect(defaults("customers")).toEqual({ attributes: {} });
});
