import type { Cluster, Redis } from "ioredis";
import { slotOfTag } from "./slots.ts";

const COMING_UP = new Set(["wait", "connecting", "connect"]);

/** The master that serves the key by what this client knows now; undefined: it knows none, and asks one at random. */
export function masterOfKey(cluster: Cluster, key: string): Redis | undefined {
  const [address] = cluster.slots[slotOfTag(tagOf(key))] ?? [];
  return cluster.nodes("master").find((node) => addressOf(node) === address);
}

/** host:port, as ioredis names a cluster's nodes. */
export function addressOf({ options }: Redis): string {
  return `${options.host ?? ""}:${options.port ?? ""}`;
}

/**
 * Resolves when the node's connection stands, is given up, or has taken too long. ioredis opens it with the first command and refuses
 * every further one until it stands: of the shards that come at once, one would get through.
 */
export async function whenUp(node: Redis, timeoutMs: number): Promise<void> {
  if (!COMING_UP.has(node.status)) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const done = (): void => resolve(undefined);
  const timer = setTimeout(done, timeoutMs);
  node.once("ready", done).once("end", done);
  try {
    // Whoever sends to it then is told why it does not stand.
    if (node.status === "wait") node.connect().catch(done);
    await promise;
  } finally {
    clearTimeout(timer);
    node.off("ready", done).off("end", done);
  }
}

function tagOf(key: string): string {
  return /\{([^{}]+)\}/.exec(key)?.[1] ?? key;
}
