/** Java's murmur2 as Kafka's default partitioner uses it (seed 0x9747b28c), 32 bits, signed. */
export function murmur2(key: Uint8Array): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ key.length;
  const whole = key.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k = (key[i] ?? 0) | ((key[i + 1] ?? 0) << 8) | ((key[i + 2] ?? 0) << 16) | ((key[i + 3] ?? 0) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = key.length & 3;
  if (rest >= 3) h ^= (key[whole + 2] ?? 0) << 16;
  if (rest >= 2) h ^= (key[whole + 1] ?? 0) << 8;
  if (rest >= 1) h = Math.imul(h ^ (key[whole] ?? 0), m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}

/** The partition of a key: Kafka's default. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
