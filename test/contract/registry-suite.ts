import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import type { SchemaSource } from "../../src/adapters/avro/registry.ts";
import { parseType, SCHEMA_TOPICS, schemaText } from "../../src/adapters/avro/schemas.ts";
import { RefusedError } from "../../src/pipeline/errors.ts";

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly default?: unknown;
}

const NAME: Field = { name: "name", type: "string" };
const AGE: Field = { name: "age", type: "int" };

const record = (...fields: readonly Field[]): string =>
  JSON.stringify({ type: "record", name: "Person", namespace: "test", fields });

/** What every SchemaSource promises (A6): ids are for ever, and a subject takes only what reads all that it took before. */
export function describeRegistry(name: string, open: () => SchemaSource): void {
  describe(`a schema registry: ${name}`, () => {
    let registry: SchemaSource;
    let subject: string;
    beforeAll(() => {
      registry = open();
    });
    const fresh = (): string => (subject = `registry-${randomUUID()}-value`);

    test("a registered schema is found by its id and by its subject", async () => {
      const id = await registry.register(fresh(), record(NAME));
      const text = await registry.schemaById(id);
      expect(parseType(text ?? "").equals(parseType(record(NAME)))).toBe(true);
      expect(await registry.idOf(subject, record(NAME))).toBe(id);
    });

    test("what is not there is null, not an error", async () => {
      expect(await registry.schemaById(2_000_000_000)).toBeNull();
      expect(await registry.idOf(fresh(), record(NAME))).toBeNull();
      await registry.register(subject, record(NAME));
      expect(await registry.idOf(subject, record(NAME, AGE))).toBeNull();
    });

    test("registering again changes nothing", async () => {
      const id = await registry.register(fresh(), record(NAME));
      expect(await registry.register(subject, record(NAME))).toBe(id);
    });

    test("one schema has one id in all subjects", async () => {
      const id = await registry.register(fresh(), record(NAME));
      expect(await registry.register(fresh(), record(NAME))).toBe(id);
    });

    test("a new version may add a field with a default, drop a field, and widen a type", async () => {
      const first = await registry.register(fresh(), record(NAME, AGE));
      const second = await registry.register(subject, record(NAME, { ...AGE, type: "long" }));
      const third = await registry.register(
        subject,
        record(NAME, { name: "town", type: "string", default: "" }),
      );
      expect(new Set([first, second, third]).size).toBe(3);
    });

    test.each([
      ["that adds a field without a default", record(NAME), record(NAME, AGE)],
      ["that makes another type of a field", record(NAME, AGE), record(NAME, { ...AGE, type: "string" })],
      ["that narrows a type", record({ ...AGE, type: "long" }), record(AGE)],
    ])("a version %s is refused, and says which subject", async (_what, old, changed) => {
      await registry.register(fresh(), old);
      const refused = await registry.register(subject, changed).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(RefusedError);
      expect(refused).toMatchObject({
        code: "SCHEMA_INCOMPATIBLE",
        message: expect.stringContaining(subject) as string,
      });
      expect(await registry.idOf(subject, changed)).toBeNull();
    });

    test("it must read all earlier versions, not only the last (BACKWARD_TRANSITIVE)", async () => {
      const withDefault = record(NAME, { ...AGE, default: 0 });
      await registry.register(fresh(), record(NAME));
      await registry.register(subject, withDefault);
      // It reads the last version, which always has an age; the first never had one.
      await expect(registry.register(subject, record(NAME, AGE))).rejects.toBeInstanceOf(RefusedError);
    });

    test.each(SCHEMA_TOPICS)("it takes the schema of %s", async (topic) => {
      const id = await registry.register(`${randomUUID()}.${topic}-value`, schemaText(topic));
      expect(parseType((await registry.schemaById(id)) ?? "").equals(parseType(schemaText(topic)))).toBe(
        true,
      );
    });
  });
}
