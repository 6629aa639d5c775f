import type { Migration, Offsets, Receipt } from "../../../src/pipeline/ports.ts";
import { FACT_TOPICS } from "../../../src/domain/events.ts";
import { MOST_MIGRATIONS } from "../../../src/pipeline/repolicy.ts";
import { instant } from "../../../src/shared/instant.ts";

const GREATEST = Number.MAX_SAFE_INTEGER;
/** The longest name a topic may have, less that of the longest of ours. */
const PREFIX = "p".repeat(249 - "segment-dead-letters-redriven".length);

export const GREATEST_OFFSETS: Offsets = Object.fromEntries(FACT_TOPICS.map((topic) => [topic, GREATEST]));

/** How many customers a receipt can name: its clock's, and one for each change of policy within another. */
export const MOST_NAMED = 1 + MOST_MIGRATIONS;

/** A receipt with everything a receipt can hold, as long as it can be, that names these customers. */
export function worstReceipt([ofClock = "", ...reached]: readonly string[]): Receipt {
  const hash = "f".repeat(64);
  let migrating: Migration | null = null;
  for (const afterCustomerId of reached) migrating = { to: hash, afterCustomerId, over: migrating };
  return {
    seq: GREATEST,
    clock: { at: instant(GREATEST), customerId: ofClock },
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
