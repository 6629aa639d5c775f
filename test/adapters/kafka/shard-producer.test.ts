import type { Kafka, Producer, TopicMessages } from "kafkajs";
import { describe, expect, test } from "vitest";
import { ShardProducer } from "../../../src/adapters/kafka/shard-producer.ts";

const OFFSETS = { groupId: "g", topics: [] };

/** Producers of one transactional id, as a broker sees them: what each sent, and what it is to answer. */
class Broker {
  readonly producers: FakeProducer[] = [];
  readonly kafka = {
    producer: () => {
      const producer = new FakeProducer();
      this.producers.push(producer);
      return producer as unknown as Producer;
    },
  } as unknown as Kafka;
}

class FakeProducer {
  isConnected = false;
  aborted = 0;
  committed = 0;
  readonly requests: TopicMessages[][] = [];
  /** Errors for the next calls of sendOffsets. */
  readonly troubles: Error[] = [];
  /** Holds a transaction's commit back until it is called. */
  failCommit: ((error: Error) => void) | null = null;
  holdsCommit = false;

  connect(): Promise<void> {
    this.isConnected = true;
    return Promise.resolve();
  }
  disconnect(): Promise<void> {
    this.isConnected = false;
    return Promise.resolve();
  }
  transaction(): Promise<object> {
    return Promise.resolve({
      abort: () => {
        this.aborted++;
        return Promise.resolve();
      },
      sendOffsets: () => {
        const trouble = this.troubles.shift();
        return trouble === undefined ? Promise.resolve() : Promise.reject(trouble);
      },
      sendBatch: ({ topicMessages }: { topicMessages: TopicMessages[] }) =>
        Promise.resolve(void this.requests.push(topicMessages)),
      commit: () =>
        this.holdsCommit
          ? new Promise((_, reject) => (this.failCommit = reject))
          : Promise.resolve(this.committed++),
    });
  }
}

async function fenced(): Promise<{ producer: ShardProducer; broker: Broker }> {
  const broker = new Broker();
  const producer = new ShardProducer(broker.kafka, "app-0", 10_000);
  await producer.fence();
  return { producer, broker };
}

function messages(count: number, bytes: number): TopicMessages["messages"] {
  return Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: Buffer.alloc(bytes) }));
}

describe("fence (A10)", () => {
  test("begins a transaction, because connecting alone fences nobody", async () => {
    const { broker } = await fenced();
    expect(broker.producers).toHaveLength(1);
    expect(broker.producers[0]).toMatchObject({ isConnected: true, aborted: 1 });
  });

  test("takes a new producer each time, and lets go of the old one", async () => {
    const { producer, broker } = await fenced();
    await producer.fence();
    expect(broker.producers.map(({ isConnected }) => isConnected)).toEqual([false, true]);
  });

  test("a commit that fails after a new fence leaves the new producer alone", async () => {
    const { producer, broker } = await fenced();
    broker.producers[0]!.holdsCommit = true;
    const former = producer.commit(OFFSETS, []);
    former.catch(() => undefined);
    while (broker.producers[0]!.failCommit === null) await new Promise(setImmediate);
    await producer.fence();
    broker.producers[0]!.failCommit(new Error("disconnected"));
    await expect(former).rejects.toMatchObject({ code: "KAFKA_TROUBLE" });
    await producer.commit(OFFSETS, []);
    expect(broker.producers[1]).toMatchObject({ isConnected: true, committed: 1 });
  });
});

describe("commit (A10)", () => {
  test("waits out the markers of the transaction before, and only those", async () => {
    const { producer, broker } = await fenced();
    const busy = Object.assign(new Error("busy"), { type: "CONCURRENT_TRANSACTIONS", code: 51 });
    broker.producers[0]!.troubles.push(busy, busy);
    await producer.commit(OFFSETS, []);
    expect(broker.producers[0]!.committed).toBe(1);
    broker.producers[0]!.troubles.push(Object.assign(new Error("fenced"), { code: 47 }));
    await expect(producer.commit(OFFSETS, [])).rejects.toMatchObject({ code: "FENCED" });
    expect(broker.producers[0]!.committed).toBe(1);
  });

  test("after a failure the producer is worth nothing: a commit without a new fence is refused", async () => {
    const { producer, broker } = await fenced();
    broker.producers[0]!.troubles.push(new Error("connection lost"));
    await expect(producer.commit(OFFSETS, [])).rejects.toMatchObject({ retriable: true });
    await expect(producer.commit(OFFSETS, [])).rejects.toMatchObject({ retriable: true });
    expect(broker.producers[0]!.committed).toBe(0);
  });

  test("a large output goes out in several requests, in order, none over a broker's default limit", async () => {
    const { producer, broker } = await fenced();
    const sent = [
      { topic: "changes", messages: messages(900, 2000) },
      { topic: "segments", messages: messages(300, 500) },
      { topic: "dead", messages: messages(1, 2_000_000) },
      { topic: "rest", messages: messages(2, 10) },
    ];
    await producer.commit(OFFSETS, sent);
    const { requests } = broker.producers[0]!;
    expect(requests.length).toBeGreaterThan(2);
    const bytesOf = (request: TopicMessages[]): number =>
      request.flatMap((each) => each.messages).reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    const large = requests.filter((request) => bytesOf(request) > 1_000_000);
    // A record that is too large by itself goes alone.
    expect(large.map((request) => request.flatMap((each) => each.messages).length)).toEqual([1]);
    for (const { topic, messages: all } of sent) {
      const arrived = requests
        .flat()
        .filter((each) => each.topic === topic)
        .flatMap((each) => each.messages);
      expect(arrived).toEqual(all);
    }
    expect(requests.flat().every((each) => each.messages.length > 0)).toBe(true);
  });
});

test("a producer that never says goodbye does not keep its shard from being fenced anew", async () => {
  const { producer, broker } = await fenced();
  broker.producers[0]!.disconnect = () => new Promise(() => undefined);
  await producer.fence();
  expect(broker.producers).toHaveLength(2);
  expect(broker.producers[1]!.aborted).toBe(1);
});
