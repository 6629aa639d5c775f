import { COMPATIBILITY, SchemaRegistry, SchemaType } from "@kafkajs/confluent-schema-registry";
import pRetry, { AbortError } from "p-retry";
import { RefusedError, RetriableError } from "../../pipeline/errors.ts";

/** Schemas by id and by subject, wherever they are kept. All of it throws RetriableError when the registry can't be asked. */
export interface SchemaSource {
  /** Text of a writer's schema; null: no Avro schema has this id. */
  schemaById(id: number): Promise<string | null>;
  /** Id under which a subject holds this schema; null: it does not. */
  idOf(subject: string, schema: string): Promise<number | null>;
  /**
   * Registers a schema (again) and sets its subject to BACKWARD_TRANSITIVE; returns its id.
   * @throws RefusedError when it could not read what earlier schemas of the subject wrote
   */
  register(subject: string, schema: string): Promise<number>;
}

const TIMEOUT_MS = 5_000;
const RETRIES = 3;
/** Statuses that pass: the registry is busy, starting, or behind a proxy that is. */
const PASSING = new Set([408, 425, 429]);

/** A Confluent-compatible registry over HTTP (Confluent, Apicurio `/apis/ccompat/v7`, Karapace). */
export function createRegistry(
  url: string,
  auth: { username: string; password: string } | null,
): SchemaSource {
  const registry = new SchemaRegistry({
    host: url,
    clientId: "clientela",
    retry: { retries: 0 },
    middlewares: [realAnswers],
    ...(auth === null ? {} : { auth }),
  });
  return {
    async schemaById(id) {
      const found = await ask(`schema ${id}`, () => registry.getSchema(id));
      return "answer" in found ? schemaTextOf(found.answer) : null;
    },
    async idOf(subject, schema) {
      const found = await ask(subject, () =>
        registry.getRegistryIdBySchema(subject, { type: SchemaType.AVRO, schema }),
      );
      return "answer" in found ? found.answer : null;
    },
    async register(subject, schema) {
      const found = await ask(subject, () =>
        registry.register(
          { type: SchemaType.AVRO, schema },
          { subject, compatibility: COMPATIBILITY.BACKWARD_TRANSITIVE },
        ),
      );
      if ("answer" in found) return found.answer.id;
      throw incompatible(subject, found.why, found.error);
    },
  };
}

/** A schema that its subject can't take: records that are in the topic could not be read any more. */
export function incompatible(subject: string, why: string, cause: unknown): RefusedError {
  return new RefusedError(
    "SCHEMA_INCOMPATIBLE",
    `the registry refuses the schema of ${subject}: ${why}. A new version must read what all earlier ones wrote (BACKWARD_TRANSITIVE): give new fields a default`,
    cause,
  );
}

type Middleware = NonNullable<ConstructorParameters<typeof SchemaRegistry>[0]["middlewares"]>[number];

class NoAnswerError extends Error {}

/**
 * Tells what is no registry's answer from what is: the library's HTTP client reports a refused connection as status 400, and it
 * takes a proxy's page for a schema. A registry's own 400 brings JSON with a message, and then the error's text is that message.
 */
const realAnswers: Middleware = () => ({
  async response(next) {
    const response = await next().catch((error: unknown) => {
      throw statusOf(error) === 400 && messageOf(error).includes("Error, status 400")
        ? new NoAnswerError(messageOf(error), { cause: error })
        : error;
    });
    const answer: unknown = response.data();
    if (answer === null || typeof answer !== "object") throw new NoAnswerError("the answer is not JSON");
    return response;
  },
});

/** An answer, or the registry's no: there is no such thing, or the schema is not acceptable. */
type Answer<T> = { readonly answer: T } | { readonly why: string; readonly error: unknown };

async function ask<T>(what: string, question: () => Promise<T>): Promise<Answer<T>> {
  try {
    return {
      answer: await pRetry(
        async () => {
          try {
            return await withTimeout(question());
          } catch (error) {
            if (isPassing(error)) throw error;
            throw new AbortError(error as Error);
          }
        },
        { retries: RETRIES, minTimeout: 100, maxTimeout: 1000 },
      ),
    };
  } catch (error) {
    const why = messageOf(error);
    if (isPassing(error)) {
      throw new RetriableError(
        "REGISTRY_UNREACHABLE",
        `the schema registry can't be asked for ${what}: ${why}`,
        error,
      );
    }
    if (statusOf(error) === 401 || statusOf(error) === 403) {
      throw new RefusedError(
        "REGISTRY_DENIED",
        `the schema registry won't answer about ${what}: ${why}. Check CLIENTELA_REGISTRY_USER and CLIENTELA_REGISTRY_PASSWORD`,
        error,
      );
    }
    return { why, error };
  }
}

function isPassing(error: unknown): boolean {
  const status = statusOf(error);
  return error instanceof NoAnswerError || (status !== null && (status >= 500 || PASSING.has(status)));
}

/** HTTP status of what the library threw; null: it is about the content of an answer, not about its coming. */
function statusOf(error: unknown): number | null {
  const status = error !== null && typeof error === "object" && "status" in error ? error.status : null;
  return typeof status === "number" ? status : null;
}

async function withTimeout<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswerError(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The library hands out parsed schemas; those of other kinds than Avro have no text that is one. */
function schemaTextOf(schema: unknown): string {
  const found = schema as { toJSON?: () => unknown };
  return JSON.stringify(typeof found.toJSON === "function" ? found.toJSON() : schema);
}
