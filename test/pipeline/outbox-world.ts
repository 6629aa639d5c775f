import type { Message, TopicMessages } from "kafkajs";
import type { Checkpoint, OutboxEntry } from "../../src/adapters/kafka/outbox-history.ts";
import { outboxEntry, outboxMessage } from "../../src/adapters/kafka/outbox-records.ts";
import { Outbox, type OutboxConnection, type OutboxPort } from "../../src/adapters/kafka/outbox.ts";
import { recordOf } from "../../src/app/compose-embedded.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import type { Referral } from "../../src/domain/events.ts";
import type { BatchOutput, ShardLog } from "../../src/pipeline/ports.ts";
import type { Adversary, Call, Life } from "./faults.ts";
import type { Owner, World } from "./world.ts";

/** A record that subscribers see, repeats included. */
export interface Published {
  readonly topic: string;
  readonly shard: number;
  readonly customerId: string;
  /** Header of tombstones (A4). */
  readonly changeId: string | null;
  readonly value: string | null;
}

/** What an outbox holds is bytes; so is what is published. */
interface Wire {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, Buffer>;
}

/** Outboxes of a world's shards, and what came out of them: brokers without transactions. */
export class OutboxWorld {
  readonly published: Published[] = [];
  readonly #world: World;
  readonly #logs = new Map<number, Wire[]>();
  readonly #checkpoints = new Map<number, Checkpoint>();

  constructor(world: World) {
    this.#world = world;
  }

  own(shard: number, adversary?: Adversary): Owner {
    let life: Life | null = null;
    const through = <T>(call: Call, act: () => Promise<T>): Promise<T> =>
      life === null ? act() : life.call(call, act);
    const owner = this.#world.own({
      shard,
      ...(adversary === undefined ? {} : { adversary }),
      log: (log) => {
        const now = (): number => this.#world.clock.now();
        return logOver(log, shard, new Outbox(this.#port(shard, through), shard, now));
      },
    });
    life = owner.life;
    return owner;
  }

  #port(shard: number, through: <T>(call: Call, act: () => Promise<T>) => Promise<T>): OutboxPort {
    const log = this.#logs.get(shard) ?? [];
    this.#logs.set(shard, log);
    const connection: OutboxConnection = {
      append: (entries) =>
        through("transaction", () => {
          for (const entry of entries) log.push(wireOf(entry, shard));
          return Promise.resolve(log.length - entries.length);
        }),
      publish: (request) => through("transaction", () => this.#publish(shard, request)),
      close: () => Promise.resolve(),
    };
    return {
      connect: () => through("fence", () => Promise.resolve(connection)),
      start: () => through("read", () => Promise.resolve(0)),
      read: (from, last, visit) =>
        through("read", () => {
          for (let offset = from; offset <= last; offset++) {
            const record = log[offset];
            if (record === undefined) throw new Error("the outbox was read beyond its end");
            visit(offset, outboxEntry(record));
          }
          return Promise.resolve();
        }),
      checkpoint: () => through("read", () => Promise.resolve(this.#checkpoints.get(shard) ?? null)),
      // Also one that comes late, from an owner long gone, is a true one.
      keep: (checkpoint) =>
        void through("read", () => Promise.resolve(void this.#checkpoints.set(shard, checkpoint))).catch(
          () => undefined,
        ),
      flush: () => Promise.resolve(),
      inherited: () => Promise.resolve(null),
    };
  }

  async #publish(shard: number, request: readonly TopicMessages[]): Promise<void> {
    for (const { topic, messages } of request) {
      for (const { key, value, headers } of messages) {
        const changeId = headers?.["changeId"];
        this.published.push({
          topic,
          shard,
          customerId: String(key),
          changeId: changeId === undefined ? null : String(changeId),
          value: value === null ? null : String(value),
        });
        if (topic !== "referrals") continue;
        await this.#world.appendRecords([recordOf(JSON.parse(String(value)) as Referral)]);
      }
    }
  }
}

/** As the outbox's partition keeps it and gives it back. */
function wireOf(entry: OutboxEntry, shard: number): Wire {
  const { key, value, headers } = outboxMessage(entry, shard);
  const bytes = (part: unknown): Buffer => (Buffer.isBuffer(part) ? part : Buffer.from(String(part)));
  return {
    key: key === null || key === undefined ? null : bytes(key),
    value: value === null ? null : bytes(value),
    headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, each]) => [name, bytes(each)])),
  };
}

/** The embedded log's facts, committed through an outbox. */
function logOver(log: ShardLog, shard: number, outbox: Outbox): ShardLog {
  return {
    packing: log.packing,
    fence: async () => {
      await log.fence();
      return outbox.fence();
    },
    commit: (output, committed) =>
      outbox.commit(messagesOf(output as BatchOutput, shard, committed.receipt.seq), committed),
    close: async () => {
      await outbox.close();
      await log.close();
    },
    seek: (offsets) => log.seek(offsets),
    knownEnd: (topic) => log.knownEnd(topic),
    ends: () => log.ends(),
    buffered: (topic) => log.buffered(topic),
    take: (topic, count) => log.take(topic, count),
    position: (topic) => log.position(topic),
    caughtUp: (topic, since) => log.caughtUp(topic, since),
    changed: (signal) => log.changed(signal),
  };
}

function messagesOf(
  { changes, segments, referrals }: BatchOutput,
  shard: number,
  seq: number,
): TopicMessages[] {
  const message = (key: string, value: unknown): Message => ({
    key,
    partition: shard,
    value: value === null ? null : Buffer.from(JSON.stringify(value)),
  });
  return [
    {
      topic: "segment-changes",
      messages: changes.map(({ customerId, change }, i) => ({
        ...message(customerId, change),
        ...(change === null ? { headers: { changeId: `${shard}:${seq}:${i}` } } : {}),
      })),
    },
    {
      topic: "customer-segments",
      messages: segments.map(({ customerId, segment }) => message(customerId, segment)),
    },
    {
      topic: "referrals",
      messages: referrals.map((referral) => message(referral.customerId, referral)),
    },
  ].filter(({ messages }) => messages.length > 0);
}

/** What a subscriber keeps that drops each change whose id it has seen; null: a tombstone. */
export function deduplicated(
  published: readonly Published[],
): { readonly customerId: string; readonly change: SegmentChange | null }[] {
  const seen = new Set<string>();
  return published
    .filter(({ topic }) => topic === "segment-changes")
    .flatMap(({ customerId, changeId, value }) => {
      const change = value === null ? null : (JSON.parse(value) as SegmentChange);
      const id = change?.changeId ?? changeId ?? "";
      if (seen.has(id)) return [];
      seen.add(id);
      return [{ customerId, change }];
    });
}
