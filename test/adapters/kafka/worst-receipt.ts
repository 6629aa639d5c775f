import type { Offsets, Receipt } from "../../../src/pipeline/ports.ts";
import { FACT_TOPICS } from "../../../src/domain/events.ts";
import { instant } from "../../../src/shared/instant.ts";

const GREATEST = Number.MAX_SAFE_INTEGER;
/** The longest name a topic may have, less that of the longest of ours. */
const PREFIX = "p".repeat(249 - "segment-dead-letters-redriven".length);

export const GREATEST_OFFSETS: Offsets = Object.fromEntries(FACT_TOPICS.map((topic) => [topic, GREATEST]));

/** A receipt with everything a receipt can hold, as long as it can be, that names these three customers. */
export function worstReceipt([first = "", second = "", third = ""]: readonly string[]): Receipt {
  const hash = "f".repeat(64);
  // One change of policy within another, whatever it may hold besides.
  const migrating = { to: hash, afterCustomerId: second, over: { to: hash, afterCustomerId: third } };
  return {
    seq: GREATEST,
    clock: { at: instant(GREATEST), customerId: first },
    policy: hash,
    migrating,
    silentBelow: { offsets: GREATEST_OFFSETS, at: instant(GREATEST) },
    log: {
      cluster: "c".repeat(36),
      prefix: PREFIX,
      shards: 1_000_000,
      topics: Object.fromEntries(FACT_TOPICS.map((topic) => [topic, "i".repeat(22)])),
    },
    begin: GREATEST_OFFSETS,
  };
}
