import { RefusedError, RetriableError } from "../../pipeline/errors.ts";

/** First words of Redis replies that pass by themselves or by an operator's hand; the shard waits and acquires again. */
const PASSING = new Set([
  "LOADING",
  "READONLY",
  "MASTERDOWN",
  "NOREPLICAS",
  "MISCONF",
  "OOM",
  "BUSY",
  "TRYAGAIN",
  "CLUSTERDOWN",
  "MOVED",
  "ASK",
  "UNBLOCKED",
]);
/** Before version 7, an error inside a script came wrapped: where it happened, twice in different spelling. */
const SCRIPT_PREFIX = /^ERR Error running script [^@]*(?:@user_script: ?\d+: )+-?/;
/** ioredis followed MOVED, ASK and TRYAGAIN until it had enough: a slot is being moved, or nodes disagree on where it is. */
const REDIRECTED = "Too many Cluster redirections";
const DENIED = new Set(["NOAUTH", "WRONGPASS", "NOPERM"]);

/**
 * Names what went wrong with a command. Without an answer (connection, time-out) nobody knows whether it was done:
 * retriable, and whoever sent it acquires the shard again (A4). An answer that means neither trouble nor a
 * wrong set-up is a bug: it comes back as a plain Error.
 */
export function redisError(doing: string, cause: unknown): Error {
  const message = messageOf(cause);
  if (message.includes("cluster support disabled")) {
    return new RefusedError(
      "REDIS_CLUSTER",
      `Redis is no cluster, but is used as one (${message}). Say that it is a single server`,
      cause,
    );
  }
  if (message.startsWith(REDIRECTED)) {
    return new RetriableError(
      "REDIS_UNAVAILABLE",
      `Redis can't serve ${doing} now: the slot is being moved, or the nodes of the cluster disagree on where it is (${message})`,
      cause,
    );
  }
  if (!(cause instanceof Error) || cause.name !== "ReplyError") {
    const isTimeout = message.includes("timed out") || message.includes("Socket timeout");
    return new RetriableError(
      isTimeout ? "REDIS_TIMEOUT" : "REDIS_UNREACHABLE",
      `Redis did not answer while ${doing}: ${message}`,
      cause,
    );
  }
  const [word = ""] = message.replace(SCRIPT_PREFIX, "").replace(/^ERR /, "").split(" ", 1);
  if (PASSING.has(word) || message.includes("max number of clients")) {
    return new RetriableError("REDIS_UNAVAILABLE", `Redis can't serve ${doing} now: ${message}`, cause);
  }
  if (DENIED.has(word)) {
    return new RefusedError(
      "REDIS_DENIED",
      `Redis denies ${doing}: ${message}. Check user, password and ACL: the scripting, hash and sorted set commands and INFO are needed`,
      cause,
    );
  }
  if (word === "WRONGTYPE") {
    return new RefusedError(
      "REDIS_KEYS_TAKEN",
      `Redis holds something else under the keys of this shard (${doing}: ${message}). Nothing was written. Use another application id, or remove what stands there`,
      cause,
    );
  }
  return new Error(`Redis refused ${doing}: ${message}`, { cause });
}

/** ioredis keeps what the last node of a cluster said apart from its own summary. */
function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const said =
    "lastNodeError" in cause && cause.lastNodeError instanceof Error ? cause.lastNodeError.message : "";
  return said === "" ? cause.message : `${cause.message} ${said}`;
}
