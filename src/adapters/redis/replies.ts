import type { Marks, StateCommitResult } from "../../pipeline/ports.ts";
import { RefusedError } from "../../pipeline/errors.ts";

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

/** The answer of commit.lua and clear.lua. */
export function asCommitResult(reply: unknown): StateCommitResult {
  const [kind, value] = asArray(reply, "a commit").map((item) => asText(item, "a commit"));
  switch (kind) {
    case "applied":
    case "already":
      return { kind };
    case "fenced":
      return { kind, epoch: Number(value) };
    case "behind":
      return { kind, seq: value === "" ? null : Number(value) };
    default:
      throw unexpected("a commit");
  }
}

/** The answer of acquire.lua; marks that are no JSON were not written by this program. */
export function asAcquired(
  shard: number,
  reply: unknown,
): { readonly epoch: number; readonly marks: Marks | null; readonly policyText: string | null } {
  const [epoch, marks, policy] = asArray(reply, "an acquire");
  if (typeof epoch !== "number") throw unexpected("an acquire");
  return {
    epoch,
    marks: isAbsent(marks) ? null : { ...parseMarks(shard, asText(marks, "an acquire")), epoch },
    policyText: isAbsent(policy) ? null : asText(policy, "an acquire"),
  };
}

/** A Lua table ends at its last value, so that a trailing nil is not even there. */
function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function parseMarks(shard: number, text: string): Omit<Marks, "epoch"> {
  try {
    return JSON.parse(text) as Omit<Marks, "epoch">;
  } catch (cause) {
    throw new RefusedError(
      "STATE_DAMAGED",
      `the marks of shard ${shard} in Redis can't be read. Restore the state store, or delete the shard's keys and start with CLIENTELA_ON_STATE_LOSS=rebuild`,
      cause,
    );
  }
}
