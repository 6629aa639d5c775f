import { COMPATIBILITY, SchemaRegistry, SchemaType } from "@kafkajs/confluent-schema-registry";
import pRetry, { AbortError } from "p-retry";
import { RetriableError } from "../../pipeline/errors.ts";

/** Schemas by id and by subject, wherever they are kept. */
export interface SchemaSource {
  /** Text of a writer's schema; null: no schema has this id. Throws RetriableError when the registry can't be asked. */
  schemaById(id: number): Promise<string | null>;
  /** Id under which a subject holds this schema; null: it does not. */
  idOf(subject: string, schema: string): Promise<number | null>;
  /** Registers a schema (again) and sets its subject to BACKWARD_TRANSITIVE; returns its id. Throws when it is not compatible. */
  register(subject: string, schema: string): Promise<number>;
}

const TIMEOUT_MS = 5_000;
const RETRIES = 3;

/** A Confluent-compatible registry over HTTP (Confluent, Apicurio `/apis/ccompat/v7`, Karapace). */
export function createRegistry(
  url: string,
  auth: { username: string; password: string } | null,
): SchemaSource {
  const registry = new SchemaRegistry({
    host: url,
    clientId: "clientela",
    retry: { retries: 0 },
    ...(auth === null ? {} : { auth }),
  });
  return {
    schemaById: (id) =>
      ask(`schema ${id}`, async () => {
        const found = await registry.getSchema(id);
        return schemaTextOf(found);
      }).catch(nullWhenNotFound),
    idOf: (subject, schema) =>
      ask(subject, () => registry.getRegistryIdBySchema(subject, { type: SchemaType.AVRO, schema })).catch(
        nullWhenNotFound,
      ),
    register: async (subject, schema) => {
      const { id } = await ask(subject, () =>
        registry.register(
          { type: SchemaType.AVRO, schema },
          { subject, compatibility: COMPATIBILITY.BACKWARD_TRANSITIVE },
        ),
      );
      return id;
    },
  };
}

/** A registry in memory, for one process: ids count from 1. */
export function createMemoryRegistry(): SchemaSource {
  const schemas: string[] = [];
  const subjects = new Map<string, Map<string, number>>();
  return {
    schemaById: (id) => Promise.resolve(schemas[id - 1] ?? null),
    idOf: (subject, schema) => Promise.resolve(subjects.get(subject)?.get(schema) ?? null),
    register: (subject, schema) => {
      const held = subjects.get(subject) ?? new Map<string, number>();
      subjects.set(subject, held);
      let id = held.get(schema);
      if (id === undefined) {
        const known = schemas.indexOf(schema);
        id = known >= 0 ? known + 1 : schemas.push(schema);
        held.set(schema, id);
      }
      return Promise.resolve(id);
    },
  };
}

/** HTTP status of what the client threw, if it is an answer of the registry. */
function statusOf(error: unknown): number | null {
  // The library drops the status of just one answer: that a subject does not hold a schema.
  if (error instanceof Error && error.name === "ConfluentSchemaRegistryError") return 404;
  const status = error !== null && typeof error === "object" && "status" in error ? error.status : null;
  return typeof status === "number" ? status : null;
}

async function ask<T>(what: string, question: () => Promise<T>): Promise<T> {
  try {
    return await pRetry(
      async () => {
        try {
          return await withTimeout(question());
        } catch (error) {
          const status = statusOf(error);
          if (status !== null && status < 500) throw new AbortError(error as Error);
          throw error;
        }
      },
      { retries: RETRIES, minTimeout: 100, maxTimeout: 1000 },
    );
  } catch (error) {
    const status = statusOf(error);
    if (status !== null && status < 500) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new RetriableError(
      "REGISTRY_UNREACHABLE",
      `the schema registry can't be asked for ${what}: ${why}`,
      error,
    );
  }
}

async function withTimeout<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function nullWhenNotFound(error: unknown): null {
  if (statusOf(error) === 404) return null;
  throw error;
}

function schemaTextOf(schema: unknown): string {
  const found = schema as { schema?: unknown; toJSON?: () => unknown };
  return JSON.stringify(typeof found.toJSON === "function" ? found.toJSON() : schema);
}
