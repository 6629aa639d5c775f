import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { kafkaClient, type Servers } from "../../src/app/compose-kafka.ts";
import { FACT_TOPICS } from "../../src/domain/events.ts";
import type { Instance } from "./instance.ts";

const POLL_MS = 100;
/** Outputs that have not grown for so long stand still: a shard that has work commits many times in it. */
const STILL_MS = 3_000;
const OUTPUTS = ["segment-changes", "customer-segments"];
/** What people send; referrals are the processor's own. */
const SENT_TOPICS = FACT_TOPICS.filter((topic) => topic !== "referrals");

/** What the broker says of an application's progress. */
export interface Progress {
  /** Input records that are committed, of all that were sent. */
  committed(): Promise<number>;
  /** Resolves with the count once so many are committed. Throws when a processor ends, or after `withinMs`. */
  untilCommitted(count: number, by: readonly Instance[], withinMs?: number): Promise<number>;
  /** End offset of each partition of a topic. */
  ends(topic: string): Promise<{ readonly partition: number; readonly offset: number }[]>;
  /** Waits until nothing more comes out; resolves with the moment (performance.now()) at which the last had come. */
  untilStill(by: readonly Instance[], withinMs?: number): Promise<number>;
  close(): Promise<void>;
}

const PATIENCE_MS = 1_800_000;

export async function openProgress(servers: Servers): Promise<Progress> {
  const admin = kafkaClient(servers, createLogger("error")).admin();
  await admin.connect();
  const ends: Progress["ends"] = async (topic) =>
    (await admin.fetchTopicOffsets(servers.topicPrefix + topic)).map(({ partition, high }) => ({
      partition,
      offset: Number(high),
    }));
  const progress: Progress = {
    committed: () => committed(admin, servers),
    untilCommitted: (count, by, withinMs = PATIENCE_MS) =>
      pollUntil(
        by,
        () => committed(admin, servers),
        (done) => done >= count,
        withinMs,
      ),
    ends,
    async untilStill(by, withinMs = PATIENCE_MS) {
      let known = -1;
      let grewAt = performance.now();
      const written = async (): Promise<number> =>
        (await Promise.all(OUTPUTS.map(ends))).flat().reduce((sum, { offset }) => sum + offset, 0);
      const isStill = (count: number): boolean => {
        if (count !== known) [known, grewAt] = [count, performance.now()];
        return performance.now() - grewAt >= STILL_MS;
      };
      await pollUntil(by, written, isStill, withinMs);
      return grewAt;
    },
    close: () => admin.disconnect(),
  };
  return progress;
}

async function committed(admin: Admin, { applicationId, topicPrefix }: Servers): Promise<number> {
  const topics = SENT_TOPICS.map((topic) => topicPrefix + topic);
  const answers = await admin.fetchOffsets({ groupId: applicationId, topics }).catch(whileUnknown);
  return answers
    .flatMap(({ partitions }) => partitions)
    .reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
}

/** A fresh group has no coordinator for a moment. */
function whileUnknown(error: unknown): [] {
  if (error instanceof Error && "retriable" in error && error.retriable === true) return [];
  throw error;
}

/** Asks again and again; a processor that has ended, or `withinMs`, ends it with an error. */
export async function pollUntil<T>(
  by: readonly Instance[],
  ask: () => Promise<T> | T,
  holds: (answer: T) => boolean,
  withinMs: number,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const ended = by.find(
      ({ process: { exitCode, signalCode } }) => exitCode !== null || signalCode !== null,
    );
    if (ended !== undefined) throw new Error(`a processor ended:\n${ended.lastWords()}`);
    const answer = await ask();
    if (holds(answer)) return answer;
    if (performance.now() > deadline)
      throw new Error(
        `not within ${Math.round(withinMs / 1000)} s:\n${by.map((each) => each.lastWords()).join("\n")}`,
      );
    await sleep(POLL_MS);
  }
}
