import { ClientelaError, RefusedError, RetriableError } from "../../pipeline/errors.ts";
import { METADATA_BYTES } from "./metadata-json.ts";

/** Protocol error codes that mean a successor has taken over: INVALID_PRODUCER_EPOCH (47) and PRODUCER_FENCED (90). */
const FENCED = new Set([47, 90]);
/** The markers of the transaction before are still being written (A10): a short wait helps. */
const CONCURRENT_TRANSACTIONS = 51;
const INCONSISTENT_GROUP_PROTOCOL = 23;
const OFFSET_METADATA_TOO_LARGE = 12;

function codeOf(error: unknown): number | null {
  for (
    let cause: unknown = error, depth = 0;
    cause !== null && typeof cause === "object" && depth < 5;
    depth++
  ) {
    if ("code" in cause && typeof cause.code === "number") return cause.code;
    cause = "cause" in cause ? cause.cause : null;
  }
  return null;
}

export function isConcurrentTransactions(error: unknown): boolean {
  return codeOf(error) === CONCURRENT_TRANSACTIONS || typeOf(error) === "CONCURRENT_TRANSACTIONS";
}

/** A member of the group speaks another protocol: it delivers otherwise, or is another program. */
export function isInconsistentProtocol(error: unknown): boolean {
  return codeOf(error) === INCONSISTENT_GROUP_PROTOCOL;
}

function typeOf(error: unknown): string | null {
  return error !== null && typeof error === "object" && "type" in error ? String(error.type) : null;
}

/** What kafkajs threw, as an error of the port: all but one may pass, what was under way is unknown. */
export function kafkaFailure(what: string, error: unknown): ClientelaError {
  if (error instanceof ClientelaError) return error;
  const why = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  if (code !== null && FENCED.has(code)) {
    return new RetriableError("FENCED", `${what}: another owner has taken over (${why})`, error);
  }
  if (code === OFFSET_METADATA_TOO_LARGE) {
    return new RefusedError(
      "RECEIPT_TOO_LARGE",
      `${what}: the brokers take less with a committed offset than a receipt may need. ` +
        `Set offset.metadata.max.bytes of the brokers to ${METADATA_BYTES}, which is Kafka's default, or more`,
      error,
    );
  }
  return new RetriableError("KAFKA_TROUBLE", `${what}: ${why}`, error);
}

/** How long an administrative request may go without an answer. */
export const ADMIN_ANSWER_MS = 20_000;

/**
 * Waits for kafkajs so long and no longer: a request that is under way when its connection breaks is now and then neither
 * answered nor refused (2.2.4; its own request time-out ends with the connection). Whoever asked must be able to go on.
 * @throws RetriableError after `ms`; what was asked may still happen
 */
export async function within<T>(ms: number, what: string, asked: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new RetriableError("KAFKA_SILENT", `${what}: no answer within ${ms / 1000} s`)),
      ms,
    );
  });
  try {
    return await Promise.race([asked, silence]);
  } finally {
    clearTimeout(timer);
  }
}
