/** A Redis Cluster divides its keys among this many slots. */
export const CLUSTER_SLOTS = 16_384;

/**
 * The cluster slot of a hash tag: CRC-16/XMODEM (polynomial 0x1021, start 0) of its bytes, modulo 16 384.
 * Source: Redis Cluster specification, "Key distribution model".
 */
export function slotOfTag(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag, "utf8")) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    }
    crc &= 0xffff;
  }
  return crc % CLUSTER_SLOTS;
}
