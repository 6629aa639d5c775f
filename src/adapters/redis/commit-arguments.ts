import type { StateCommit } from "../../pipeline/ports.ts";
import type { WrittenArguments } from "./connection.ts";
import { chunkField } from "./keys.ts";
import type { RespWriter } from "./resp-writer.ts";

/** Around an argument: its length and the ends of two lines, generously; an instant takes less than twice as much. */
const ARGUMENT_BYTES = 16;

/** ARGV of commit.lua, whose writes name each customer at most once. `dropped`: pages that go with the customers whose head is null. */
export function commitArguments(
  commit: StateCommit,
  dropped: readonly (readonly [customerId: string, page: number])[],
): WrittenArguments {
  const { writes, marks } = commit;
  const marksText = JSON.stringify(marks);
  const policyText = commit.policyText ?? "";
  let [heads, gone, chunks, goneChunks, deadlines, withoutDeadline] = [0, 0, 0, dropped.length, 0, 0];
  let bytes = 512 + marksText.length + 3 * policyText.length;
  for (const { customerId, head, chunks: pages, deadlineAt } of writes) {
    const idBytes = 3 * customerId.length + ARGUMENT_BYTES;
    bytes += 2 * idBytes + 3 * ARGUMENT_BYTES + (head?.length ?? 0);
    if (head === null || deadlineAt === null) withoutDeadline++;
    else deadlines++;
    if (head === null) {
      gone++;
      continue;
    }
    heads++;
    for (const [, page] of pages) {
      bytes += idBytes + 2 * ARGUMENT_BYTES + (page?.length ?? 0);
      if (page === null) goneChunks++;
      else chunks++;
    }
  }
  const items = 2 * heads + gone + 2 * chunks + goneChunks + 2 * deadlines + withoutDeadline;
  const counts = [heads, gone, chunks, goneChunks, deadlines, withoutDeadline];
  return {
    count: 5 + counts.length + items,
    bytes,
    write(resp) {
      for (const number of [commit.epoch, commit.expectedSeq, marks.seq]) resp.int(number);
      resp.text(marksText);
      resp.text(policyText);
      for (const count of counts) resp.int(count);
      for (const { customerId, head } of writes) {
        if (head === null) continue;
        resp.text(customerId);
        resp.bytes(head);
      }
      if (gone > 0) for (const { customerId, head } of writes) if (head === null) resp.text(customerId);
      if (chunks > 0) writeChunks(resp, commit);
      if (goneChunks > 0) writeGoneChunks(resp, commit, dropped);
      for (const { customerId, head, deadlineAt } of writes) {
        if (head === null || deadlineAt === null) continue;
        resp.int(deadlineAt);
        resp.text(customerId);
      }
      if (withoutDeadline === 0) return;
      for (const { customerId, head, deadlineAt } of writes) {
        if (head === null || deadlineAt === null) resp.text(customerId);
      }
    },
  };
}

function writeChunks(resp: RespWriter, { writes }: StateCommit): void {
  for (const { customerId, head, chunks } of writes) {
    if (head === null) continue;
    for (const [page, bytes] of chunks) {
      if (bytes === null) continue;
      resp.bytes(chunkField(customerId, page));
      resp.bytes(bytes);
    }
  }
}

function writeGoneChunks(
  resp: RespWriter,
  { writes }: StateCommit,
  dropped: readonly (readonly [customerId: string, page: number])[],
): void {
  for (const [customerId, page] of dropped) resp.bytes(chunkField(customerId, page));
  for (const { customerId, head, chunks } of writes) {
    if (head === null) continue;
    for (const [page, bytes] of chunks) if (bytes === null) resp.bytes(chunkField(customerId, page));
  }
}
