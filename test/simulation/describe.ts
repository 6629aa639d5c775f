import type { Classification } from "../../src/domain/classification.ts";
import { FACT_TOPICS } from "../../src/domain/events.ts";
import type {
  BatchOutput,
  Committed,
  Marks,
  Migration,
  Offsets,
  ShardClock,
} from "../../src/pipeline/ports.ts";

/** For traces and violations: short, one line. */
export function shown(classification: Classification | null | undefined): string {
  if (classification === null || classification === undefined) return "nothing";
  const { status, stage, value, attention, tags } = classification;
  return [status, stage, value, attention, ...tags].join("/");
}

export function shownOutput({ changes, referrals, deadLetters }: BatchOutput): string {
  const told = changes.map(({ customerId, change }) =>
    change === null
      ? `${customerId} erased`
      : `${customerId} ${shown(change.current)} (${change.cause.kind} ${new Date(change.effectiveAt).toISOString().slice(0, 10)})`,
  );
  for (const { customerId, referredId } of referrals) told.push(`${referredId} names ${customerId}`);
  if (deadLetters.length > 0) told.push(`${deadLetters.length} dead letters`);
  return told.length === 0 ? "no output" : told.join(", ");
}

type Position = Pick<Marks, "seq" | "clock" | "policy" | "migrating">;

export function shownReceipt({ offsets, receipt }: Committed): string {
  return `seq ${receipt.seq} ${shownPosition(offsets, receipt)}`;
}

export function shownMarks(marks: Omit<Marks, "epoch"> | null): string {
  if (marks === null) return "no marks";
  return `seq ${marks.seq} published ${marks.published} ${shownPosition(marks.offsets, marks)}`;
}

function shownPosition(offsets: Offsets, { clock, policy, migrating }: Position): string {
  const read = FACT_TOPICS.map((topic) => offsets[topic] ?? 0).join(" ");
  const at =
    clock === null ? "never" : `${new Date(clock.at).toISOString().slice(0, 23)} ${shownCustomer(clock)}`;
  const changes = [];
  for (let each: Migration | null | undefined = migrating; each; each = each.over)
    changes.push(`${each.to.slice(0, 4)} up to "${each.afterCustomerId}", `);
  return `[${read} | ${at} | policy ${changes.join("")}${policy.slice(0, 4)}]`;
}

function shownCustomer({ customerId }: ShardClock): string {
  return customerId === "\u{10ffff}" ? "all" : customerId;
}
