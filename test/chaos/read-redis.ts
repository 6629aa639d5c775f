import { Redis } from "ioredis";
import { createStateCodec } from "../../src/adapters/avro/state-codec.ts";
import { shardKeys } from "../../src/adapters/redis/keys.ts";
import type { CustomerState } from "../../src/domain/customer-state.ts";
import type { Marks } from "../../src/pipeline/ports.ts";
import type { SeenRedis, SeenShard } from "./observed.ts";

/** Everything that lies in a Redis which nobody uses but the run. */
export async function readRedis(port: number, applicationId: string, shards: number): Promise<SeenRedis> {
  const redis = new Redis({ host: "127.0.0.1", port });
  try {
    const known = new Set<string>();
    const seen: SeenShard[] = [];
    for (let shard = 0; shard < shards; shard++) {
      for (const key of Object.values(shardKeys(applicationId, shard))) known.add(String(key));
      seen.push(await readShard(redis, applicationId, shard));
    }
    const strangeKeys = (await redis.keys("*")).filter((key) => !known.has(key));
    return { shards: seen, strangeKeys };
  } finally {
    redis.disconnect();
  }
}

async function readShard(redis: Redis, applicationId: string, shard: number): Promise<SeenShard> {
  const keys = shardKeys(applicationId, shard);
  const codec = createStateCodec();
  const marksText = await redis.hget(keys.marks, "marks");
  const marks = marksText === null ? null : (JSON.parse(marksText) as Omit<Marks, "epoch">);
  const heads = Object.entries(await redis.hgetallBuffer(keys.states));
  const chunkFields = Object.entries(await redis.hgetallBuffer(keys.chunks));
  const scores = await redis.zrange(keys.deadlines, 0, "-1", "WITHSCORES");
  const byCustomer = new Map<string, Map<number, Uint8Array>>();
  const chunks: [string, number][] = [];
  for (const [field, bytes] of chunkFields) {
    // One without a name keeps the key there (commit.lua).
    if (field === "") continue;
    const at = field.indexOf("\0");
    const customerId = field.slice(0, at);
    const page = Number(field.slice(at + 1));
    chunks.push([customerId, page]);
    const pages = byCustomer.get(customerId) ?? new Map<number, Uint8Array>();
    byCustomer.set(customerId, pages.set(page, bytes));
  }
  const states = new Map<string, CustomerState | string>();
  const pages = new Map<string, readonly [number, number]>();
  for (const [customerId, head] of heads) {
    try {
      pages.set(customerId, codec.pages(head));
      states.set(
        customerId,
        codec.decode(customerId, { head, chunks: byCustomer.get(customerId) ?? new Map() }),
      );
    } catch (error) {
      states.set(customerId, String(error));
    }
  }
  const deadlines = new Map<string, number>();
  for (let i = 0; i + 1 < scores.length; i += 2) deadlines.set(scores[i] ?? "", Number(scores[i + 1]));
  return {
    shard,
    offsets: marks?.offsets ?? {},
    clock: marks?.clock ?? null,
    states,
    pages,
    chunks,
    deadlines,
  };
}
