import type { Held, Marks, StateCommitResult } from "../../pipeline/ports.ts";
import { RetriableError } from "../../pipeline/errors.ts";
import { assureHeld } from "../../pipeline/store-moved.ts";

/** A reply that commands of this adapter never give: a proxy that is no Redis, or a bug. */
function unexpected(what: string): Error {
  return new Error(`Redis answered ${what} in a form that was not expected`);
}

export function asArray(reply: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(reply)) throw unexpected(what);
  return reply;
}

/** Bulk strings, null where there was none. */
export function asBuffers(reply: unknown, what: string): (Buffer | null)[] {
  return asArray(reply, what).map((item) => {
    if (item === null || item === undefined) return null;
    if (!Buffer.isBuffer(item)) throw unexpected(what);
    return item;
  });
}

export function asText(reply: unknown, what: string): string {
  if (!Buffer.isBuffer(reply)) throw unexpected(what);
  return reply.toString("utf8");
}

/**
 * The answer of a script that reads: where the shard stood at that moment, then what was read. Throws STATE_MOVED when the reader
 * wants it to stand elsewhere.
 */
export function asRead(
  reply: unknown,
  shard: number,
  held: Held | undefined,
  what: string,
): readonly unknown[] {
  const [epoch, seq, ...found] = asArray(reply, what);
  const epochText = asText(epoch, what);
  const seqText = asText(seq, what);
  assureHeld(shard, held, {
    epoch: epochText === "" ? 0 : Number(epochText),
    seq: seqText === "" ? null : Number(seqText),
  });
  return found;
}

/** The answer of commit.lua and clear.lua. */
export function asCommitResult(shard: number, reply: unknown): StateCommitResult {
  const [kind, value, found] = asArray(reply, "a commit").map((item) => asText(item, "a commit"));
  switch (kind) {
    case "applied":
    case "already":
      return { kind };
    case "fenced":
      return { kind, epoch: Number(value) };
    case "behind":
      return { kind, seq: value === "" ? null : Number(value) };
    case "damaged":
      throw damaged(shard, value ?? "", found ?? "");
    default:
      throw unexpected("a commit");
  }
}

/** The answer of position.lua. */
export function asPosition(reply: unknown): {
  readonly epoch: number;
  readonly seq: number | null;
  readonly damage: string | null;
} {
  const what = "where the state stands";
  const [epoch = "", seq = "", counts = "", found = ""] = asArray(reply, what).map((item) =>
    asText(item, what),
  );
  const damage = counts === "" || counts === found ? null : difference(counts, found);
  return { epoch: Number(epoch), seq: seq === "" ? null : Number(seq), damage };
}

/** The answer of acquire.lua. */
export function asAcquired(reply: unknown): {
  readonly epoch: number;
  readonly marks: Marks | null;
  readonly policyText: string | null;
  readonly damage: string | null;
} {
  const [epoch, ...rest] = asArray(reply, "an acquire");
  if (typeof epoch !== "number") throw unexpected("an acquire");
  const [text = "", policyText = "", counts = "", found = ""] = rest.map((item) =>
    asText(item, "an acquire"),
  );
  const marks = text === "" ? null : parseMarks(text);
  return {
    epoch,
    marks: marks === null ? null : { ...marks, epoch },
    policyText: policyText === "" ? null : policyText,
    damage: damageOf(text, marks, counts, found),
  };
}

/** Fields `epoch` and `marks` of a shard's marks; null when there are none, or none that can be read. */
export function asMarks(reply: unknown): Marks | null {
  const [epoch, text] = asBuffers(reply, "marks");
  if (text === null || text === undefined) return null;
  const marks = parseMarks(asText(text, "marks"));
  return marks === null ? null : { ...marks, epoch: Number(epoch?.toString("utf8") ?? 0) };
}

/** null: they were not written by this program. */
function parseMarks(text: string): Omit<Marks, "epoch"> | null {
  try {
    return JSON.parse(text) as Omit<Marks, "epoch">;
  } catch {
    return null;
  }
}

const NOTHING = "0 0 0";

/** Counts are "states chunks deadlines"; those of a state from before they were kept are "". */
function damageOf(text: string, marks: object | null, counts: string, found: string): string | null {
  if (text !== "" && marks === null) return "its marks can't be read";
  if (text === "") return found === NOTHING ? null : `${spelt(found)} are there without their marks`;
  return counts === "" || counts === found ? null : difference(counts, found);
}

/** Retriable, because whoever acquires the shard anew learns what became of it. */
function damaged(shard: number, counts: string, found: string): RetriableError {
  return new RetriableError(
    "STATE_MOVED",
    `the state of shard ${shard} is damaged: ${difference(counts, found)}`,
  );
}

function difference(counts: string, found: string): string {
  return `the last commit left ${spelt(counts)}, now there are ${spelt(found)}: something else has deleted or added some`;
}

function spelt(counts: string): string {
  const [states, chunks, deadlines] = counts.split(" ");
  return `${states ?? ""} customers, ${chunks ?? ""} chunks and ${deadlines ?? ""} deadlines`;
}
