import type { Kafka, Producer, ProducerConfig, Transaction } from "kafkajs";
import kafkajs from "../../src/adapters/kafka/kafkajs.ts";
import { withAdmin } from "../../src/app/admin.ts";
import type { Servers, ShardPorts } from "../../src/app/compose-kafka.ts";
import { FACT_TOPICS } from "../../src/domain/events.ts";
import { LAST_CUSTOMER } from "../../src/pipeline/shard-clock.ts";
import type { BatchOutput, Committed, Receipt, ShardClock } from "../../src/pipeline/ports.ts";
import { portOf } from "../port-of.ts";
import { storePortOf, throughLogs } from "./crash-points.ts";
import { QUIET } from "./quiet.ts";

/** Ways to break the protocol on purpose: the harness has to report each (A4). */
export const BREAKS = [
  "no-compare",
  "no-fencing",
  "receipt-before-init",
  "redis-first",
  "receipt-without-clock",
  "clock-without-customer",
  "silence-by-seq",
  "offsets-apart",
  "dead-letters-apart",
] as const;
export type Break = (typeof BREAKS)[number];

/** Ports that break the protocol in one way; null: in none. */
export function portsBroken(ports: ShardPorts, way: Break | null, servers: Servers): ShardPorts {
  switch (way) {
    case null:
      return ports;
    case "no-compare":
      return withoutCompare(ports);
    case "no-fencing":
      patchProducers((config) => ({
        ...config,
        transactionalId: `${String(config.transactionalId)}-${process.pid}`,
      }));
      return ports;
    case "receipt-before-init":
      return receiptBeforeInit(ports, servers);
    case "redis-first":
      return redisFirst(ports);
    case "receipt-without-clock":
      return withClock(ports, { inMarks: (clock) => clock, inReceipt: () => null });
    case "clock-without-customer": {
      const whole = (clock: ShardClock | null): ShardClock | null =>
        clock === null ? null : { at: clock.at, customerId: LAST_CUSTOMER };
      return withClock(ports, { inMarks: whole, inReceipt: whole });
    }
    case "silence-by-seq":
      return silenceBySeq(ports);
    case "offsets-apart":
      patchTransactions();
      return ports;
    case "dead-letters-apart":
      return deadLettersApart(ports);
  }
}

/** The script finds what it expects, whoever has written since. */
function withoutCompare({ store, source }: ShardPorts): ShardPorts {
  return {
    source,
    store: {
      ...storePortOf(store),
      // Whoever asks first whether the state is where it was left is told so: the compare in the script is what is missing.
      commit: async (shard, commit) => {
        const { epoch, seq } = await store.position(shard);
        return store.commit(shard, { ...commit, epoch, expectedSeq: seq ?? 0 });
      },
    },
  };
}

/** The receipt is read, and only then is the predecessor fenced. */
function receiptBeforeInit({ store, source }: ShardPorts, servers: Servers): ShardPorts {
  return {
    store,
    source: throughLogs(source, (shard, log) => ({
      ...portOf(log),
      fence: async () => {
        const before = await committedOf(shard, servers);
        await log.fence();
        return before;
      },
    })),
  };
}

async function committedOf(shard: number, servers: Servers): Promise<Committed | null> {
  const { topicPrefix, applicationId: groupId } = servers;
  const topics = FACT_TOPICS.map((topic) => topicPrefix + topic);
  const answers = await withAdmin(servers, QUIET, "reading the receipt", (admin) =>
    admin.fetchOffsets({ groupId, topics }),
  );
  const found = answers.flatMap(({ topic, partitions }) => {
    const own = partitions.find(({ partition }) => partition === shard);
    return own === undefined || Number(own.offset) < 0 ? [] : [{ topic, ...own }];
  });
  const metadata = found.find(({ topic }) => topic === `${topicPrefix}orders`)?.metadata;
  if (metadata === undefined || metadata === null) return null;
  return {
    offsets: Object.fromEntries(
      found.map(({ topic, offset }) => [topic.slice(topicPrefix.length), Number(offset)]),
    ),
    receipt: JSON.parse(metadata) as Receipt,
  };
}

/** The state is written before the transaction that it belongs to. */
function redisFirst({ store, source }: ShardPorts): ShardPorts {
  const waiting = new Map<number, () => Promise<void>>();
  return {
    store: {
      ...storePortOf(store),
      commit: async (shard, commit) => {
        const result = await store.commit(shard, commit);
        const transact = waiting.get(shard);
        waiting.delete(shard);
        await transact?.();
        return result;
      },
    },
    source: throughLogs(source, (shard, log) => ({
      ...portOf(log),
      commit: (output, committed) => {
        // A shard that has no marks yet begins with a transaction that nothing of the state belongs to.
        if (committed.receipt.seq === 0) return log.commit(output, committed);
        waiting.set(shard, () => log.commit(output, committed));
        return Promise.resolve();
      },
    })),
  };
}

function withClock(
  { store, source }: ShardPorts,
  change: {
    inMarks(clock: ShardClock | null): ShardClock | null;
    inReceipt(clock: ShardClock | null): ShardClock | null;
  },
): ShardPorts {
  return {
    store: {
      ...storePortOf(store),
      commit: (shard, commit) =>
        store.commit(shard, {
          ...commit,
          marks: { ...commit.marks, clock: change.inMarks(commit.marks.clock) },
        }),
    },
    source: throughLogs(source, (_shard, log) => ({
      ...portOf(log),
      commit: (output, { offsets, receipt }) =>
        log.commit(output, { offsets, receipt: { ...receipt, clock: change.inReceipt(receipt.clock) } }),
    })),
  };
}

/** A state whose seq has come as far as the receipt's counts as being there, wherever it stands. */
function silenceBySeq({ store, source }: ShardPorts): ShardPorts {
  const receipts = new Map<number, number>();
  return {
    store: {
      ...storePortOf(store),
      acquire: async (shard) => {
        const acquired = await store.acquire(shard);
        const { marks } = acquired;
        if (marks === null) return acquired;
        // Asked for after the receipt has been read.
        const published = (): number => {
          const receipt = receipts.get(shard) ?? 0;
          return marks.seq >= receipt ? receipt : marks.published;
        };
        return {
          ...acquired,
          marks: {
            ...marks,
            get published() {
              return published();
            },
          },
        };
      },
    },
    source: throughLogs(source, (shard, log) => ({
      ...portOf(log),
      fence: async () => {
        const committed = await log.fence();
        receipts.set(shard, committed?.receipt.seq ?? 0);
        return committed;
      },
    })),
  };
}

/** Dead letters go out in a transaction of their own, before the one with the offsets. */
function deadLettersApart({ store, source }: ShardPorts): ShardPorts {
  return {
    store,
    source: throughLogs(source, (_shard, log) => {
      let last: Committed | null = null;
      return {
        ...portOf(log),
        fence: async () => (last = await log.fence()),
        commit: async (output, committed) => {
          const { deadLetters } = output;
          if (deadLetters.length > 0 && last !== null) {
            const alone: BatchOutput<unknown, unknown> = {
              changes: [],
              segments: [],
              referrals: [],
              deadLetters,
            };
            await log.commit(alone, last);
            await log.commit({ ...output, deadLetters: [] }, committed);
          } else {
            await log.commit(output, committed);
          }
          last = committed;
        },
      };
    }),
  };
}

function patchProducers(change: (config: ProducerConfig) => ProducerConfig): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
  const { producer } = kafkajs.Kafka.prototype;
  kafkajs.Kafka.prototype.producer = function (this: Kafka, config?: ProducerConfig): Producer {
    return producer.call(this, config?.transactionalId === undefined ? config : change(config));
  };
}

/** Offsets and receipt are committed after the transaction, in one of their own, as a consumer's commit would be. */
function patchTransactions(): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
  const { producer } = kafkajs.Kafka.prototype;
  kafkajs.Kafka.prototype.producer = function (this: Kafka, config?: ProducerConfig): Producer {
    const made = producer.call(this, config);
    const begin = made.transaction.bind(made);
    made.transaction = async () => {
      const transaction = await begin();
      const offsets: Parameters<Transaction["sendOffsets"]>[0][] = [];
      const sendOffsets = transaction.sendOffsets.bind(transaction);
      let records = 0;
      const sendBatch = transaction.sendBatch.bind(transaction);
      const commit = transaction.commit.bind(transaction);
      return Object.assign(transaction, {
        sendOffsets: (asked: Parameters<Transaction["sendOffsets"]>[0]) => {
          offsets.push(asked);
          return Promise.resolve();
        },
        sendBatch: (batch: Parameters<Transaction["sendBatch"]>[0]) => {
          records++;
          return sendBatch(batch);
        },
        commit: async () => {
          if (records === 0) {
            for (const asked of offsets) await sendOffsets(asked);
            await commit();
            return;
          }
          await commit();
          // A consumer commits in its own time.
          await new Promise((resolve) => setTimeout(resolve, 10));
          const second = await begin();
          for (const asked of offsets) await withPatience(() => second.sendOffsets(asked));
          await second.commit();
        },
      });
    };
    return made;
  };
}

async function withPatience(ask: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await ask();
      return;
    } catch (error) {
      if (attempt > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
