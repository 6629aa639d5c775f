import { Redis } from "ioredis";

/** What an application's states take in Redis: MEMORY USAGE of all its keys, whole (SAMPLES 0), and its customers. */
export async function stateBytes(
  url: string,
  applicationId: string,
): Promise<{ readonly bytes: number; readonly customers: number }> {
  const redis = new Redis(url);
  try {
    let bytes = 0;
    let customers = 0;
    for await (const keys of redis.scanStream({ match: `{${applicationId}:*`, count: 1000 }) as AsyncIterable<
      string[]
    >) {
      for (const key of keys) {
        bytes += (await redis.memory("USAGE", key, "SAMPLES", 0)) ?? 0;
        if (key.endsWith(":states")) customers += await redis.hlen(key);
      }
    }
    return { bytes, customers };
  } finally {
    redis.disconnect();
  }
}
