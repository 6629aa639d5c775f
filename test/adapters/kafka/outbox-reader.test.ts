import type { KafkaMessage } from "kafkajs";
import { describe, expect, test } from "vitest";
import { OutboxReader } from "../../../src/adapters/kafka/outbox-reader.ts";

const messages = (...offsets: number[]): KafkaMessage[] =>
  offsets.map((offset) => ({ offset: String(offset) }) as unknown as KafkaMessage);

function opened(): {
  reader: OutboxReader;
  said: string[];
  visited: number[];
  visit: (offset: number) => void;
} {
  const said: string[] = [];
  const visited: number[] = [];
  const reader = new OutboxReader({
    seek: (shard, offset) => said.push(`seek ${shard} to ${offset}`),
    resume: (shard) => said.push(`resume ${shard}`),
    pause: (shard) => said.push(`pause ${shard}`),
  });
  return { reader, said, visited, visit: (offset) => visited.push(offset) };
}

describe("reading an outbox", () => {
  test("hands over just the range, in any batches, and pauses after it", async () => {
    const { reader, said, visited, visit } = opened();
    const read = reader.read(2, 5, 8, visit);
    reader.deliver(2, messages(3, 4, 5, 6));
    reader.deliver(7, messages(7));
    reader.deliver(2, messages(7, 8, 9));
    await read;
    expect(visited).toEqual([5, 6, 7, 8]);
    expect(said).toEqual(["seek 2 to 5", "resume 2", "pause 2"]);
    reader.deliver(2, messages(10));
    expect(visited).toHaveLength(4);
  });

  test("what was fetched before the seek leaves no gap", async () => {
    const { reader, said, visited, visit } = opened();
    const read = reader.read(0, 5, 8, visit);
    reader.deliver(0, messages(7, 8));
    expect(visited).toEqual([]);
    reader.deliver(0, messages(5, 6, 7, 8));
    await read;
    expect(visited).toEqual([5, 6, 7, 8]);
    expect(said.filter((each) => each === "seek 0 to 5")).toHaveLength(2);
  });

  test("goes on where it was after the group was joined again", async () => {
    const { reader, said, visited, visit } = opened();
    const read = reader.read(0, 5, 8, visit);
    reader.deliver(0, messages(5, 6));
    reader.restart([0, 1]);
    expect(said.slice(2)).toEqual(["pause 0", "seek 0 to 7", "resume 0", "pause 1"]);
    reader.deliver(0, messages(7, 8));
    await read;
    expect(visited).toEqual([5, 6, 7, 8]);
  });
});
