import { RefusedError, RetriableError } from "../../pipeline/errors.ts";

/** HELLO-free RESP2, UNLINK, effect replication and `INFO maxmemory_policy` as this adapter needs them are all there by then. */
const LEAST_VERSION = [6, 2] as const;

/**
 * Judges a server by its INFO: safety needs that Redis forgets only a suffix of its writes (A7).
 * @throws RefusedError when it evicts keys, is a replica or is too old; RetriableError while it loads its data
 */
export function checkServer(server: string, info: string, expectsCluster: boolean): void {
  const field = (name: string): string => fieldOf(info, name);

  const version = field("redis_version");
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < LEAST_VERSION[0] || (major === LEAST_VERSION[0] && minor < LEAST_VERSION[1])) {
    throw new RefusedError(
      "REDIS_TOO_OLD",
      `Redis at ${server} is version ${version || "unknown"}; ${LEAST_VERSION.join(".")} or newer is needed. Upgrade the server`,
    );
  }
  if (field("loading") === "1") {
    throw new RetriableError("REDIS_UNAVAILABLE", `Redis at ${server} is still loading its data`);
  }
  const role = field("role");
  if (role !== "master" && expectsCluster) {
    throw new RetriableError(
      "REDIS_UNAVAILABLE",
      `Redis at ${server} was a master of the cluster and is a ${role} now: a failover is going on`,
    );
  }
  if (role !== "master") {
    throw new RefusedError(
      "REDIS_REPLICA",
      `Redis at ${server} is a ${role || "server of unknown role"} of ${field("master_host") || "another server"}: it takes no writes and may lag. Point REDIS_URL at the master`,
    );
  }
  refuseEviction(server, info);
  const isClustered = field("cluster_enabled") === "1";
  if (isClustered !== expectsCluster) {
    throw new RefusedError(
      "REDIS_CLUSTER",
      isClustered
        ? `Redis at ${server} is part of a cluster, but is used as a single server. Say that it is a cluster`
        : `Redis at ${server} is no cluster, but is used as one. Say that it is a single server`,
    );
  }
}

/**
 * Judges by INFO, or its memory section, what a server does when its memory is short: for replicas, which take over with their own
 * settings, and for whoever did take over.
 * @throws RefusedError when it evicts keys
 */
export function refuseEviction(server: string, info: string): void {
  const policy = fieldOf(info, "maxmemory_policy");
  if (policy === "noeviction") return;
  throw new RefusedError(
    "REDIS_EVICTS",
    `Redis at ${server} has maxmemory-policy ${policy || "unknown"}: it would drop customers' states one by one when memory is short. Set maxmemory-policy noeviction`,
  );
}

function fieldOf(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
}
