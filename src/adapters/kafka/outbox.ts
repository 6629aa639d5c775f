import { randomUUID } from "node:crypto";
import type { Message, TopicMessages } from "kafkajs";
import { RefusedError, RetriableError } from "../../pipeline/errors.ts";
import type { Committed } from "../../pipeline/ports.ts";
import type { CommitStrategy } from "./commit-strategy.ts";
import { OutboxHistory, type Checkpoint, type OutboxEntry, type Outgoing } from "./outbox-history.ts";
import { REQUEST_BYTES, requestsOf, sizeOf } from "./produce-requests.ts";

/** The way to the brokers that one fence opens; what an earlier one still has under way does not go through it. */
export interface OutboxConnection {
  /** Appends all entries at once or none, acknowledged by all replicas. Resolves with the offset of the first. */
  append(entries: readonly OutboxEntry[]): Promise<number>;
  /** Sends outputs where they belong, in order; resolves when all replicas have them. */
  publish(request: TopicMessages[]): Promise<void>;
  close(): Promise<void>;
}

/** One shard's outbox: a log that nobody but the shard's owners writes. Errors are ClientelaError. */
export interface OutboxPort {
  connect(): Promise<OutboxConnection>;
  /** First offset that the log still holds. */
  start(): Promise<number>;
  /** Hands over the entries of [from, through], in order; null: a record that is none. */
  read(
    from: number,
    through: number,
    visit: (offset: number, entry: OutboxEntry | null) => void,
  ): Promise<void>;
  /** null: none was ever kept. May be an old one: then more is read. */
  checkpoint(): Promise<Checkpoint | null>;
  /** Tells lag tools and the next fence where the shard stands, soon. A loss costs a repeat, nothing else. */
  keep(checkpoint: Checkpoint): void;
  /** Resolves when the last checkpoint has been kept, or could not be in time. */
  flush(): Promise<void>;
  /** What an exactly-once run committed before the outbox was used. Throws RefusedError when an outbox was, and is empty. */
  inherited(): Promise<Committed | null>;
}

/**
 * An owner that waits longer than this for an answer publishes no more: others may have taken the shard for abandoned (the group
 * does after 10 s) and be further on. Well above the slowest answer of a broker that is well, in ms.
 */
const STALE_MS = 5_000;

interface Held {
  readonly owner: string;
  readonly connection: OutboxConnection;
  /** Offset that the owner's next entry gets, unless somebody else has written. */
  readonly next: number;
}

/**
 * At least once, for brokers without transactions. A batch is decided when its outputs, offsets and receipt stand in the shard's
 * outbox; only then is it published, and whoever takes the shard over publishes the last decided batch again before
 * anything else. So what is repeated is the same to the byte, and what was never decided was never seen (docs/decisions/0013).
 */
export class Outbox implements CommitStrategy {
  readonly #port: OutboxPort;
  readonly #shard: number;
  readonly #now: () => number;
  #held: Held | null = null;

  /** `now`: a clock that never goes back, ms. */
  constructor(port: OutboxPort, shard: number, now: () => number = () => performance.now()) {
    this.#port = port;
    this.#shard = shard;
    this.#now = now;
  }

  /** Claims the outbox, which makes void whatever a predecessor may still decide, and publishes what was decided last. */
  async fence(): Promise<Committed | null> {
    await this.#letGo();
    const connection = await this.#port.connect();
    try {
      const owner = randomUUID();
      const claim: OutboxEntry = { kind: "claim", owner };
      // Asked before the claim: one that is kept later may lie beyond it.
      const checkpoint = await this.#port.checkpoint();
      const claimedAt = await connection.append([claim]);
      const decided = await this.#read(checkpoint, claimedAt);
      // Reading may have taken long: claimed again, it is certain that nobody else has begun meanwhile.
      const confirmedAt = this.#now();
      const next = await this.#append(connection, [claim], claimedAt + 1);
      if (decided !== null) await this.#publish(connection, topicMessagesOf(decided.outputs), confirmedAt);
      const committed = decided?.committed ?? checkpoint?.committed ?? (await this.#port.inherited());
      this.#held = { owner, connection, next };
      if (committed !== null) this.#port.keep({ next, owner, committed });
      return committed;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async commit(outputs: TopicMessages[], committed: Committed): Promise<void> {
    const held = this.#held;
    if (held === null)
      throw new RetriableError("FENCED", `the outbox of shard ${this.#shard} is not claimed`);
    // Whatever fails from here on: only a new claim tells what became of it.
    this.#held = null;
    const { owner, connection } = held;
    try {
      const confirmedAt = this.#now();
      const entries = entriesOf(owner, outputs);
      entries.push({ kind: "decision", owner, from: held.next, committed });
      let next = held.next;
      for (const part of partsOf(entries)) next = await this.#append(connection, part, next);
      await this.#publish(connection, outputs, confirmedAt);
      this.#held = { owner, connection, next };
      this.#port.keep({ next, owner, committed });
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#letGo();
    await this.#port.flush();
  }

  /** @returns the offset after the entries; throws when somebody else has written to the outbox: that can only be a claim. */
  async #append(
    connection: OutboxConnection,
    entries: readonly OutboxEntry[],
    expected: number,
  ): Promise<number> {
    const at = await connection.append(entries);
    if (at === expected) return expected + entries.length;
    throw new RetriableError("FENCED", `another owner has claimed the outbox of shard ${this.#shard}`);
  }

  async #read(checkpoint: Checkpoint | null, claimedAt: number): Promise<OutboxHistory["decided"]> {
    const start = await this.#port.start();
    const from = checkpoint?.next ?? start;
    if (from < start || from > claimedAt) {
      throw new RefusedError(
        "OUTBOX_LOST",
        `the outbox of shard ${this.#shard} must be read from offset ${from}, but holds ${start} to ${claimedAt}: what was decided ` +
          "and perhaps not published is gone. Restore the topic, or start under a fresh CLIENTELA_APPLICATION_ID",
      );
    }
    const history = new OutboxHistory(checkpoint);
    await this.#port.read(from, claimedAt, (offset, entry) => history.add(offset, entry));
    if (checkpoint === null && start > 0 && history.decided === null) {
      throw new RefusedError(
        "OUTBOX_LOST",
        `the outbox of shard ${this.#shard} holds nothing that was decided, and its beginning is gone. ` +
          "Restore the group's offsets or the topic, or start under a fresh CLIENTELA_APPLICATION_ID",
      );
    }
    return history.decided;
  }

  async #publish(
    connection: OutboxConnection,
    outputs: readonly TopicMessages[],
    since: number,
  ): Promise<void> {
    let confirmedAt = since;
    for (const request of requestsOf(outputs)) {
      const sentAt = this.#now();
      if (sentAt - confirmedAt > STALE_MS) {
        throw new RetriableError(
          "STALE_OWNER",
          `shard ${this.#shard} was not heard of for ${Math.round(sentAt - confirmedAt)} ms: another owner may be further on`,
        );
      }
      await connection.publish(request);
      confirmedAt = sentAt;
    }
  }

  async #letGo(): Promise<void> {
    const held = this.#held;
    this.#held = null;
    await held?.connection.close();
  }
}

function entriesOf(owner: string, outputs: readonly TopicMessages[]): OutboxEntry[] {
  return outputs.flatMap(({ topic, messages }) =>
    messages.map((message) => ({ kind: "output", owner, outgoing: { topic, message } }) as const),
  );
}

/** By topic, each in the order in which it was decided. */
function topicMessagesOf(outputs: readonly Outgoing[]): TopicMessages[] {
  const byTopic = new Map<string, Message[]>();
  for (const { topic, message } of outputs) {
    const messages = byTopic.get(topic);
    if (messages === undefined) byTopic.set(topic, [message]);
    else messages.push(message);
  }
  return Array.from(byTopic, ([topic, messages]) => ({ topic, messages }));
}

/** What fits into one append; the decision stands in the last. */
function* partsOf(entries: readonly OutboxEntry[]): Generator<OutboxEntry[]> {
  let part: OutboxEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = entry.kind === "output" ? sizeOf(entry.outgoing.message) : DECISION_BYTES;
    if (part.length > 0 && bytes + size > REQUEST_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(entry);
    bytes += size;
  }
  yield part;
}

/** A decision's offsets and receipt, at most about. */
const DECISION_BYTES = 8_192;
