import { expect, test } from "vitest";
import { TopicBuffer } from "../../../src/adapters/kafka/topic-buffer.ts";
import type { SourceRecord } from "../../../src/pipeline/ports.ts";

function record(offset: number): SourceRecord {
  return { topic: "orders", partition: 0, offset, arrivedAt: null, key: null, value: null, headers: [] };
}

test("take drops from the front; more than there is leaves nothing, and the position stays", () => {
  const buffer = new TopicBuffer();
  buffer.records = [record(4), record(6), record(7)];
  buffer.position = 8;
  buffer.take(1);
  expect(buffer.records.map(({ offset }) => offset)).toEqual([6, 7]);
  buffer.take(0);
  expect(buffer.records).toHaveLength(2);
  buffer.take(5);
  expect(buffer.records).toEqual([]);
  expect(buffer.position).toBe(8);
});

test("a new buffer is paused, and nothing of it is overdue", () => {
  expect(new TopicBuffer()).toMatchObject({ isPaused: true, movedAt: Infinity, position: 0 });
});
