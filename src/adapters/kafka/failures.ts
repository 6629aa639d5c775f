import { ClientelaError, RetriableError } from "../../pipeline/errors.ts";

/** Protocol error codes that mean a successor has taken over: INVALID_PRODUCER_EPOCH (47) and PRODUCER_FENCED (90). */
const FENCED = new Set([47, 90]);
/** The markers of the transaction before are still being written (A10): a short wait helps. */
const CONCURRENT_TRANSACTIONS = 51;

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

function typeOf(error: unknown): string | null {
  return error !== null && typeof error === "object" && "type" in error ? String(error.type) : null;
}

/** What kafkajs threw, as an error of the port: all of them may pass, what was under way is unknown. */
export function kafkaFailure(what: string, error: unknown): ClientelaError {
  if (error instanceof ClientelaError) return error;
  const why = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  if (code !== null && FENCED.has(code)) {
    return new RetriableError("FENCED", `${what}: another owner has taken over (${why})`, error);
  }
  return new RetriableError("KAFKA_TROUBLE", `${what}: ${why}`, error);
}
