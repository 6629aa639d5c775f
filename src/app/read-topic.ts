import type { Consumer, KafkaMessage } from "kafkajs";
import { kafkaFailure } from "../adapters/kafka/failures.ts";
import type { OutputTopic } from "../adapters/kafka/topics.ts";
import { RefusedError } from "../pipeline/errors.ts";
import type { Logger } from "../pipeline/options.ts";
import { withAdmin } from "./admin.ts";
import { kafkaClient, type Servers } from "./compose-kafka.ts";

export interface ReadOptions {
  readonly servers: Servers;
  readonly fromBeginning: boolean;
  /** Stop at the end that the topic had when reading began. */
  readonly untilEnd: boolean;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/** Records held for a slow reader before fetching waits for it. */
const GREATEST_QUEUE_RECORDS = 10_000;
/** So many fetches without anything from a partition's leader say that its tail holds control records only, which never come. */
const QUIET_CYCLES = 3;
const FETCH_WAIT_MS = 100;

/** What is still to come of a partition, and who leads it. */
interface Remaining {
  readonly end: number;
  readonly leader: number;
}

/**
 * Reads an output topic, committed records only, as a group of its own that leaves no offsets behind. Partitions are
 * interleaved as they come. Ends when the signal is raised, or at the end if that was asked for.
 */
export async function* readTopic(topic: OutputTopic, options: ReadOptions): AsyncGenerator<KafkaMessage> {
  const { servers, untilEnd, signal, logger } = options;
  const name = servers.topicPrefix + topic;
  const remaining = await remainingOf(name, options);
  if (untilEnd && remaining.size === 0) return;
  const groupId = `${servers.applicationId}-reader-${process.pid}-${Date.now()}`;
  const consumer = kafkaClient(servers, logger).consumer({
    groupId,
    readUncommitted: false,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    retry: { restartOnFailure: () => Promise.resolve(!untilEnd) },
  });
  const queue: KafkaMessage[] = [];
  const quietCycles = new Map<number, number>();
  const failures: Error[] = [];
  let wake: () => void = () => undefined;
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);
  const isAtEnd = (): boolean =>
    [...remaining.values()].every(({ leader }) => (quietCycles.get(leader) ?? 0) >= QUIET_CYCLES);
  try {
    listen(consumer, {
      onFetch: (leader) => {
        quietCycles.set(leader, (quietCycles.get(leader) ?? 0) + 1);
        wake();
      },
      onFailure: (error) => {
        failures.push(error);
        wake();
      },
    });
    await start(consumer, name, options.fromBeginning, async (partition, messages, lastOffset) => {
      const awaited = remaining.get(partition);
      if (awaited !== undefined) {
        quietCycles.delete(awaited.leader);
        if (lastOffset + 1 >= awaited.end) remaining.delete(partition);
      }
      queue.push(...messages);
      wake();
      while (queue.length > GREATEST_QUEUE_RECORDS && !signal.aborted)
        await new Promise((resolve) => setTimeout(resolve, 20));
    });
    for (;;) {
      for (let next = queue.shift(); next !== undefined && !isAborted(signal); next = queue.shift())
        yield next;
      if (failures.length > 0) throw kafkaFailure(`reading ${name}`, failures[0]);
      if (isAborted(signal) || (untilEnd && isAtEnd())) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    await consumer.disconnect().catch(() => undefined);
    await withAdmin(servers, logger, "leaving", (admin) => admin.deleteGroups([groupId])).catch(
      () => undefined,
    );
  }
}

/** Where each partition that holds something ends now. */
async function remainingOf(name: string, { servers, logger }: ReadOptions): Promise<Map<number, Remaining>> {
  return withAdmin(servers, logger, `asking for the ends of ${name}`, async (admin) => {
    if (!(await admin.listTopics()).includes(name)) {
      throw new RefusedError("TOPICS_MISSING", `topic ${name} is missing. Run 'clientela setup'`);
    }
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    const leaders = new Map(topics[0]?.partitions.map(({ partitionId, leader }) => [partitionId, leader]));
    const offsets = await admin.fetchTopicOffsets(name);
    return new Map(
      offsets
        .filter(({ low, high }) => Number(high) > Number(low))
        .map(({ partition, high }) => [
          partition,
          { end: Number(high), leader: leaders.get(partition) ?? -1 },
        ]),
    );
  });
}

function listen(
  consumer: Consumer,
  on: { onFetch(leader: number): void; onFailure(error: Error): void },
): void {
  consumer.on(consumer.events.FETCH, ({ payload }) => {
    // Not in kafkajs's types: the broker that was asked.
    const { nodeId } = payload as { nodeId?: number | string };
    on.onFetch(Number(nodeId ?? -1));
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) on.onFailure(payload.error);
  });
}

async function start(
  consumer: Consumer,
  name: string,
  fromBeginning: boolean,
  onBatch: (partition: number, messages: readonly KafkaMessage[], lastOffset: number) => Promise<void>,
): Promise<void> {
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [name], fromBeginning });
    await consumer.run({
      autoCommit: false,
      eachBatch: async (payload) => {
        const { batch } = payload;
        await onBatch(batch.partition, batch.messages, Number(batch.lastOffset()));
        await payload.heartbeat();
      },
    });
  } catch (error) {
    throw kafkaFailure(`reading ${name}`, error);
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
