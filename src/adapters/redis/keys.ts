import { UsageError } from "../../pipeline/errors.ts";
import { CLUSTER_SLOTS, slotOfTag } from "./slots.ts";

/** The keys of one shard. All carry the same hash tag, so that one script may touch them all in a cluster (A3, A7). */
export interface ShardKeys {
  /** Hash: `epoch`, `seq`, `marks` (JSON), `policy` (text), `counts` (of states, chunks, deadlines). */
  readonly marks: string;
  /** Hash: customer id → head of the state. */
  readonly states: string;
  /** Hash: `chunkField(customer id, page)` → bytes of the page; and an empty field without a name, so that the key exists. */
  readonly chunks: string;
  /** Sorted set: customer id, score = instant of the next deadline (ms). */
  readonly deadlines: string;
}

/** Windows of the slot space that shards take in turn; beyond so many shards they share windows. */
const WINDOWS = 256;
const APPLICATION_ID = /^[A-Za-z0-9._-]{1,200}$/;

/**
 * Names a shard's keys: `{<application>:<shard>:<salt>}:marks` and so on. The salt steers the tag's slot: shard s lands in
 * the window that bit reversal gives it (0, 128, 64, 192, 32, …), so any 2ⁿ shards lie evenly over the cluster and
 * the names do not depend on how many shards there are. Applications are turned against each other by their own slot.
 * @throws UsageError when the application id has characters that would break a hash tag or a key pattern
 */
export function shardKeys(applicationId: string, shard: number): ShardKeys {
  if (!APPLICATION_ID.test(applicationId)) {
    throw new UsageError("APPLICATION_ID", [
      `the application id ${JSON.stringify(applicationId)} can't name Redis keys: use up to 200 letters, digits, dots, underscores and hyphens`,
    ]);
  }
  const tag = `{${shardTag(applicationId, shard)}}`;
  return {
    marks: `${tag}:marks`,
    states: `${tag}:states`,
    chunks: `${tag}:chunks`,
    deadlines: `${tag}:deadlines`,
  };
}

/** Field of one page of a customer's state: the id's bytes, a zero byte, the page in decimal. */
export function chunkField(customerId: string, page: number): Buffer {
  return Buffer.from(`${customerId}\0${page}`, "utf8");
}

function shardTag(applicationId: string, shard: number): string {
  const width = CLUSTER_SLOTS / WINDOWS;
  const turned = Math.floor(slotOfTag(applicationId) / width);
  const wanted = (reverseBits(shard % WINDOWS) + turned) % WINDOWS;
  for (let salt = 0; ; salt++) {
    const tag = `${applicationId}:${shard}:${salt}`;
    if (Math.floor(slotOfTag(tag) / width) === wanted) return tag;
  }
}

/** The eight bits of a window's number, back to front. */
function reverseBits(value: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 8; bit++) reversed |= ((value >> bit) & 1) << (7 - bit);
  return reversed;
}
