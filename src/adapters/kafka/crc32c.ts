/** Castagnoli's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78;
const BYTES_AT_ONCE = 8;

/** `TABLES[k * 256 + b]`: the checksum of byte `b` followed by `k` zeros. */
const TABLES = new Int32Array(BYTES_AT_ONCE * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  TABLES[byte] = crc;
}
for (let k = 1; k < BYTES_AT_ONCE; k++) {
  for (let byte = 0; byte < 256; byte++) {
    const before = TABLES[(k - 1) * 256 + byte] ?? 0;
    TABLES[k * 256 + byte] = (before >>> 8) ^ (TABLES[before & 0xff] ?? 0);
  }
}

/**
 * CRC-32C (RFC 3720, appendix B.4), as record batches carry it, from `from` to the end: eight bytes at once ("slicing by 8"). kafkajs 2.2.4
 * goes byte by byte, each waiting for the one before.
 */
export function crc32c(bytes: Uint8Array, from = 0): number {
  let crc = -1;
  let i = from;
  for (const last = bytes.length - BYTES_AT_ONCE; i <= last; i += BYTES_AT_ONCE) {
    const low =
      crc ^
      ((bytes[i] ?? 0) |
        ((bytes[i + 1] ?? 0) << 8) |
        ((bytes[i + 2] ?? 0) << 16) |
        ((bytes[i + 3] ?? 0) << 24));
    crc =
      (TABLES[1792 + (low & 0xff)] ?? 0) ^
      (TABLES[1536 + ((low >>> 8) & 0xff)] ?? 0) ^
      (TABLES[1280 + ((low >>> 16) & 0xff)] ?? 0) ^
      (TABLES[1024 + (low >>> 24)] ?? 0) ^
      (TABLES[768 + (bytes[i + 4] ?? 0)] ?? 0) ^
      (TABLES[512 + (bytes[i + 5] ?? 0)] ?? 0) ^
      (TABLES[256 + (bytes[i + 6] ?? 0)] ?? 0) ^
      (TABLES[bytes[i + 7] ?? 0] ?? 0);
  }
  for (; i < bytes.length; i++) crc = (TABLES[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}
