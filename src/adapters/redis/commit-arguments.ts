import type { StateCommit } from "../../pipeline/ports.ts";
import type { RedisArgument } from "./connection.ts";
import { asBuffer } from "./bytes.ts";
import { chunkField } from "./keys.ts";

/** ARGV of commit.lua, whose writes name each customer at most once. `dropped`: pages that go with the customers whose head is null. */
export function commitArguments(
  commit: StateCommit,
  dropped: readonly (readonly [customerId: string, page: number])[],
): RedisArgument[] {
  const heads: RedisArgument[] = [];
  const gone: string[] = [];
  const chunks: RedisArgument[] = [];
  const goneChunks = dropped.map(([customerId, page]) => chunkField(customerId, page));
  const deadlines: RedisArgument[] = [];
  const withoutDeadline: string[] = [];
  for (const { customerId, head, chunks: pages, deadlineAt } of commit.writes) {
    if (head === null) gone.push(customerId);
    else heads.push(customerId, asBuffer(head));
    if (head === null || deadlineAt === null) withoutDeadline.push(customerId);
    else deadlines.push(deadlineAt, customerId);
    if (head === null) continue;
    for (const [page, bytes] of pages) {
      if (bytes === null) goneChunks.push(chunkField(customerId, page));
      else chunks.push(chunkField(customerId, page), asBuffer(bytes));
    }
  }
  return [
    commit.epoch,
    commit.expectedSeq,
    commit.marks.seq,
    JSON.stringify(commit.marks),
    commit.policyText ?? "",
    heads.length / 2,
    gone.length,
    chunks.length / 2,
    goneChunks.length,
    deadlines.length / 2,
    withoutDeadline.length,
    ...heads,
    ...gone,
    ...chunks,
    ...goneChunks,
    ...deadlines,
    ...withoutDeadline,
  ];
}
