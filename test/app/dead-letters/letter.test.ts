import type { KafkaMessage } from "kafkajs";
import { describe, expect, test } from "vitest";
import { deadLetterOf, type DeadLetterRecord } from "../../../src/app/dead-letters/letter.ts";
import { redrivenAtOf } from "../../../src/app/dead-letters/list.ts";

const REFUSED_AT = Date.UTC(2026, 5, 1, 12);
const BEFORE = "2026-06-01T11:59:59.999Z";
const AFTER = "2026-06-01T12:00:00.000Z";

/** What was refused at orders-3@7, of a topic with this id. */
function letter(topicId: string | null): DeadLetterRecord {
  const headers = {
    trace: Buffer.from("t1"),
    clientela_error_topic: Buffer.from("p.orders"),
    clientela_error_partition: Buffer.from("3"),
    clientela_error_offset: Buffer.from("7"),
    ...(topicId === null ? {} : { clientela_error_topic_id: Buffer.from(topicId) }),
  };
  const message = { key: null, value: null, timestamp: String(REFUSED_AT), headers };
  return deadLetterOf(message as unknown as KafkaMessage, "p.");
}

describe("what a dead letter is known by (A6)", () => {
  test("its place, for people; its topic's id besides, for marks", () => {
    const ids = [letter(null), letter("A"), letter("B")].map(({ id, identity }) => [id, identity]);
    expect(ids.map(([id]) => id)).toEqual(["p.orders-3@7", "p.orders-3@7", "p.orders-3@7"]);
    expect(new Set(ids.map(([, identity]) => identity)).size).toBe(3);
    expect(ids[0]![1]).toBe("p.orders-3@7");
  });

  test("the id is none of the headers that its sender gave it", () => {
    expect(Object.keys(letter("A").headers)).toEqual(["trace"]);
  });
});

describe("whether it was sent back", () => {
  const marksOf = (...letters: readonly DeadLetterRecord[]): Map<string, string> =>
    new Map(letters.map(({ identity }) => [identity, AFTER]));

  test("a mark is of one topic", () => {
    expect(redrivenAtOf(letter("A"), marksOf(letter("A")))).toBe(AFTER);
    expect(redrivenAtOf(letter("B"), marksOf(letter("A")))).toBeNull();
    expect(redrivenAtOf(letter(null), marksOf(letter("A")))).toBeNull();
  });

  test("a mark of before topics had ids is of its place, and of what was refused before it was made", () => {
    const old = (at: string): Map<string, string> => new Map([["p.orders-3@7", at]]);
    expect(redrivenAtOf(letter(null), old(BEFORE))).toBe(BEFORE);
    expect(redrivenAtOf(letter("A"), old(AFTER))).toBe(AFTER);
    expect(redrivenAtOf(letter("A"), old(BEFORE))).toBeNull();
  });
});
