import { FACT_TOPICS, type FactTopic } from "../../domain/events.ts";
import { RefusedError } from "../../pipeline/errors.ts";
import type { Committed, Offsets, Receipt } from "../../pipeline/ports.ts";
import { metadataText, parseMetadata } from "./metadata-json.ts";

/** The receipt travels as metadata of this topic's offset (A4). */
export const RECEIPT_TOPIC = FACT_TOPICS[0];

/** Of one topic and shard; `offset` is negative where none was committed. */
export interface CommittedOffset {
  readonly topic: FactTopic;
  readonly offset: number;
  readonly metadata: string | null;
}

/** As it is committed: with the offsets it was committed with, so that those of one topic can't be set by a tool unnoticed. */
export function receiptText(receipt: Receipt, offsets: Offsets): string {
  return metadataText({ ...receipt, offsets });
}

/** The same in an offset that is for lag tools: the outbox holds what counts. */
export function receiptTextOfOutbox({ offsets, receipt }: Committed): string {
  return metadataText({ ...receipt, offsets, delivery: OF_OUTBOX });
}

const OF_OUTBOX = "at-least-once";

/** True when an owner that delivers at least once has committed these. */
export function isOfOutbox(committed: readonly CommittedOffset[]): boolean {
  const found = readReceipt(committed.find(({ topic }) => topic === RECEIPT_TOPIC)?.metadata ?? null);
  return found !== null && "delivery" in found && found.delivery === OF_OUTBOX;
}

/** null: none, or the metadata of another program. */
export function readReceipt(metadata: string | null): (Receipt & { readonly offsets?: Offsets }) | null {
  try {
    const parsed = parseMetadata(metadata ?? "null") as (Receipt & { readonly offsets?: Offsets }) | null;
    return typeof parsed?.seq === "number" ? parsed : null;
  } catch {
    return null;
  }
}

/**
 * What was committed for a shard; null: nothing ever. `whose` names it for people.
 * @throws RefusedError RECEIPT_MISSING, OFFSETS_CHANGED
 */
export function committedOf(committed: readonly CommittedOffset[], whose: string): Committed | null {
  const known = committed.filter(({ offset }) => offset >= 0);
  if (known.length === 0) return null;
  const found = readReceipt(known.find(({ topic }) => topic === RECEIPT_TOPIC)?.metadata ?? null);
  if (found === null) {
    throw new RefusedError(
      "RECEIPT_MISSING",
      `${whose} has offsets without a receipt: a tool has set them, or another program uses this group. ` +
        "Restore them, or start under a fresh CLIENTELA_APPLICATION_ID",
    );
  }
  const { offsets: committedWith, ...receipt } = found;
  const offsets = Object.fromEntries(known.map(({ topic, offset }) => [topic, offset])) as Offsets;
  const changed = FACT_TOPICS.filter(
    (topic) => committedWith !== undefined && (committedWith[topic] ?? 0) !== (offsets[topic] ?? 0),
  );
  if (changed.length > 0) {
    const each = changed.map(
      (topic) =>
        `${topic} stands at ${offsets[topic] ?? "none"}, the receipt says ${committedWith?.[topic] ?? 0}`,
    );
    throw new RefusedError(
      "OFFSETS_CHANGED",
      `${whose} has offsets that do not go with its receipt (${each.join(", ")}): a tool has set them. ` +
        "Set them back to what the receipt says, or start under a fresh CLIENTELA_APPLICATION_ID",
    );
  }
  return { offsets, receipt };
}
