import { describe, expect, test, vi } from "vitest";
import { identityOf, LogWatch, refuseChangedTopics } from "../../../src/adapters/kafka/log-watch.ts";
import type { TopicFacts } from "../../../src/adapters/kafka/topic-facts.ts";
import { FACT_TOPICS } from "../../../src/domain/events.ts";
import { RetriableError } from "../../../src/pipeline/errors.ts";

function facts(change: Partial<TopicFacts> = {}): TopicFacts {
  return {
    cluster: "K",
    partitions: new Map(FACT_TOPICS.map((topic) => [topic, 4])),
    ids: new Map(FACT_TOPICS.map((topic) => [topic, `id of ${topic}`])),
    ...change,
  };
}

const IDENTITY = identityOf(facts(), "x.", 4);

describe("topics that change while they are read (A3)", () => {
  test("the same, or one that is away for now, is nothing", () => {
    refuseChangedTopics(IDENTITY, facts());
    refuseChangedTopics(IDENTITY, facts({ partitions: new Map([["orders", 4]]), ids: new Map() }));
  });

  test("each topic whose partitions are others is named", () => {
    const partitions = new Map(FACT_TOPICS.map((topic) => [topic, topic === "orders" ? 4 : 6]));
    expect(() => refuseChangedTopics(IDENTITY, facts({ partitions }))).toThrow(
      expect.objectContaining({
        code: "PARTITIONS_CHANGED",
        message: expect.stringMatching(
          /had 4 partitions each, now x\.inquiries has 6, .*x\.referrals has 6: /,
        ) as string,
      }),
    );
  });

  test("one that was made anew is named with both ids", () => {
    const ids = new Map([...facts().ids, ["surveys", "another"] as const]);
    expect(() => refuseChangedTopics(IDENTITY, facts({ ids }))).toThrow(
      expect.objectContaining({
        code: "TOPICS_REPLACED",
        message: expect.stringMatching(
          /x\.surveys \(its topic id was id of surveys, now another\)/,
        ) as string,
      }),
    );
  });

  test("the watch goes on through trouble with asking, tells what it refuses, and ends when stopped", async () => {
    vi.useFakeTimers();
    try {
      const answers = [
        (): Promise<TopicFacts> => Promise.resolve(facts()),
        (): Promise<TopicFacts> => Promise.reject(new RetriableError("KAFKA_TROUBLE", "away")),
        (): Promise<TopicFacts> => Promise.resolve(facts({ partitions: new Map([["orders", 5]]) })),
      ];
      let asked = 0;
      const told: Error[] = [];
      const watch = new LogWatch(
        () => (answers[asked++] ?? answers[2]!)(),
        1000,
        (error) => told.push(error),
      );
      watch.start(IDENTITY);
      await vi.advanceTimersByTimeAsync(2500);
      expect([asked, told.length]).toEqual([2, 0]);
      await vi.advanceTimersByTimeAsync(1000);
      expect(told).toMatchObject([{ code: "PARTITIONS_CHANGED" }]);
      watch.stop();
      await vi.advanceTimersByTimeAsync(5000);
      expect(asked).toBe(3);
    } finally {
      vi.useRealTimers();
    }
  });
});
