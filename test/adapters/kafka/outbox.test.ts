import type { KafkaMessage, TopicMessages } from "kafkajs";
import { describe, expect, test } from "vitest";
import {
  OutboxHistory,
  type Checkpoint,
  type OutboxEntry,
} from "../../../src/adapters/kafka/outbox-history.ts";
import { outboxEntry, outboxMessage } from "../../../src/adapters/kafka/outbox-records.ts";
import { Outbox, type OutboxConnection, type OutboxPort } from "../../../src/adapters/kafka/outbox.ts";
import type { Committed } from "../../../src/pipeline/ports.ts";

const committed = (seq: number): Committed => ({
  offsets: { orders: seq * 10 },
  receipt: { seq, clock: null, policy: "p", migrating: null, silentBelow: null },
});
const change = (value: string): TopicMessages => ({
  topic: "segment-changes",
  messages: [{ key: "c1", value: Buffer.from(value), partition: 0 }],
});

/** An outbox partition and the topics behind it. */
class Broker {
  readonly log: OutboxEntry[] = [];
  readonly published: string[] = [];
  checkpoint: Checkpoint | null = null;
  keeps = true;
  first = 0;
  now = 0;
  /** Runs before a request is taken; may throw. */
  before: (call: "append" | "publish") => void = () => undefined;

  open(): Outbox {
    const connection: OutboxConnection = {
      append: (entries) => {
        this.before("append");
        this.log.push(...entries);
        return Promise.resolve(this.log.length - entries.length);
      },
      publish: (request) => {
        this.before("publish");
        for (const { messages } of request)
          for (const { value } of messages) this.published.push(String(value));
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
    const port: OutboxPort = {
      connect: () => Promise.resolve(connection),
      start: () => Promise.resolve(this.first),
      read: (from, through, visit) => {
        for (let i = from; i <= through; i++) visit(i, this.log[i] ?? null);
        return Promise.resolve();
      },
      checkpoint: () => Promise.resolve(this.checkpoint),
      keep: (checkpoint) => {
        if (this.keeps) this.checkpoint = checkpoint;
      },
      flush: () => Promise.resolve(),
      inherited: () => Promise.resolve(null),
    };
    return new Outbox(port, 0, () => this.now);
  }
}

describe("outbox (A4, decision 0013)", () => {
  test("publishes what is decided, and a successor that knows of it publishes nothing again", async () => {
    const broker = new Broker();
    const owner = broker.open();
    expect(await owner.fence()).toBeNull();
    await owner.commit([change("a"), change("b")], committed(1));
    expect(broker.published).toEqual(["a", "b"]);
    expect(await broker.open().fence()).toEqual(committed(1));
    expect(broker.published).toEqual(["a", "b"]);
  });

  test("what was decided and not published comes out before anything else", async () => {
    const broker = new Broker();
    const owner = broker.open();
    await owner.fence();
    broker.before = (call) => {
      if (call === "publish") throw new Error("killed");
    };
    await expect(owner.commit([change("a")], committed(1))).rejects.toThrow("killed");
    expect(broker.published).toEqual([]);
    broker.before = () => undefined;
    const next = broker.open();
    expect(await next.fence()).toEqual(committed(1));
    await next.commit([change("b")], committed(2));
    expect(broker.published).toEqual(["a", "b"]);
  });

  test("only the last decision is published again when nothing was kept of the others", async () => {
    const broker = new Broker();
    broker.keeps = false;
    const owner = broker.open();
    await owner.fence();
    for (const [i, value] of ["a", "b", "c"].entries()) await owner.commit([change(value)], committed(i + 1));
    expect(await broker.open().fence()).toEqual(committed(3));
    expect(broker.published).toEqual(["a", "b", "c", "c"]);
  });

  test("a predecessor learns from the offset that it has been succeeded, before it publishes", async () => {
    const broker = new Broker();
    const former = broker.open();
    await former.fence();
    const next = broker.open();
    await next.fence();
    await expect(former.commit([change("late")], committed(1))).rejects.toMatchObject({ code: "FENCED" });
    expect(broker.published).toEqual([]);
    expect(await broker.open().fence()).toBeNull();
    await expect(former.commit([change("later")], committed(1))).rejects.toMatchObject({ code: "FENCED" });
  });

  test("an owner that was frozen after it decided leaves the publishing to whoever comes next", async () => {
    const broker = new Broker();
    const owner = broker.open();
    await owner.fence();
    broker.before = (call) => {
      if (call === "append") broker.now += 60_000;
    };
    await expect(owner.commit([change("a")], committed(1))).rejects.toMatchObject({ code: "STALE_OWNER" });
    expect(broker.published).toEqual([]);
    broker.before = () => undefined;
    expect(await broker.open().fence()).toEqual(committed(1));
    expect(broker.published).toEqual(["a"]);
  });

  test("a batch too large for one request is decided whole or not at all", async () => {
    const broker = new Broker();
    const owner = broker.open();
    await owner.fence();
    const large = [change("x".repeat(700_000)), change("y".repeat(700_000)), change("z")];
    let appends = 0;
    broker.before = (call) => {
      if (call === "append" && ++appends === 2) throw new Error("killed");
    };
    await expect(owner.commit(large, committed(1))).rejects.toThrow("killed");
    broker.before = () => undefined;
    const next = broker.open();
    expect(await next.fence()).toBeNull();
    expect(broker.published).toEqual([]);
    await next.commit(large, committed(1));
    expect(broker.published.map((value) => value[0])).toEqual(["x", "y", "z"]);
  });

  test.each([
    ["its beginning is gone beyond what was kept", 5, { next: 2, owner: "o", committed: committed(1) }],
    ["it was made anew", 0, { next: 50, owner: "o", committed: committed(1) }],
    ["nothing was kept and its beginning is gone", 1, null],
  ])("is not skipped in silence: %s", async (_what, first, checkpoint) => {
    const broker = new Broker();
    broker.first = first;
    broker.checkpoint = checkpoint;
    await expect(broker.open().fence()).rejects.toMatchObject({ code: "OUTBOX_LOST" });
  });
});

describe("what counts as decided", () => {
  const output = (owner: string): OutboxEntry => ({
    kind: "output",
    owner,
    outgoing: { topic: "t", message: { key: null, value: null } },
  });
  const decision = (owner: string, from: number, seq: number): OutboxEntry => ({
    kind: "decision",
    owner,
    from,
    committed: committed(seq),
  });
  const decided = (entries: readonly (OutboxEntry | null)[]): unknown => {
    const history = new OutboxHistory(null);
    for (const [offset, entry] of entries.entries()) history.add(offset, entry);
    return history.decided === null
      ? null
      : [history.decided.committed.receipt.seq, history.decided.outputs.length];
  };
  const claim = (owner: string): OutboxEntry => ({ kind: "claim", owner });

  test.each<[string, (OutboxEntry | null)[], unknown]>([
    ["outputs and a decision after the claim", [claim("a"), output("a"), decision("a", 1, 1)], [1, 1]],
    ["the later of two", [claim("a"), decision("a", 1, 1), output("a"), decision("a", 2, 2)], [2, 1]],
    ["nobody's without a claim", [output("a"), decision("a", 0, 1)], null],
    ["a former owner's after a claim", [claim("a"), claim("b"), output("a"), decision("a", 1, 1)], null],
    ["a claim among the outputs", [claim("a"), output("a"), claim("b"), decision("a", 1, 1)], null],
    ["a foreign record among the outputs", [claim("a"), output("a"), null, decision("a", 1, 1)], null],
    ["an output that came twice", [claim("a"), output("a"), output("a"), decision("a", 2, 1)], null],
    ["a decision that came twice", [claim("a"), decision("a", 1, 1), decision("a", 1, 2)], [1, 0]],
  ])("%s", (_what, entries, expected) => {
    expect(decided(entries)).toEqual(expected);
  });
});

describe("records of the outbox", () => {
  test("bring key, value and headers back as they are, whatever these are called", () => {
    const theirs = JSON.parse('{"__proto__":"x"}') as Record<string, Buffer>;
    const headers = {
      ...theirs,
      some: [Buffer.from("a"), Buffer.alloc(0)],
      clientela_outbox: Buffer.from("claim me"),
    };
    const message = { key: Buffer.from([0, 255]), value: null, partition: 3, headers };
    const entry: OutboxEntry = { kind: "output", owner: "o", outgoing: { topic: "my.topic", message } };
    const back = outboxEntry(outboxMessage(entry, 1) as KafkaMessage);
    if (back?.kind !== "output") throw new Error("it came back as something else");
    expect(back.outgoing.topic).toBe("my.topic");
    expect(back.outgoing.message).toMatchObject({ key: message.key, value: null, partition: 3 });
    const own = back.outgoing.message.headers ?? {};
    expect(Object.keys(own)).toEqual(Object.keys(headers));
    expect([own["some"], [own["clientela_outbox"]].flat()]).toEqual([
      headers.some,
      [headers.clientela_outbox],
    ]);
  });

  test("claims and decisions come back, strangers are none", () => {
    for (const entry of [
      { kind: "claim", owner: "o" },
      { kind: "decision", owner: "o", from: 7, committed: committed(3) },
    ] as const) {
      const { value, headers } = outboxMessage(entry, 0);
      expect(outboxEntry({ key: null, value: value as Buffer | null, headers: headers ?? {} })).toEqual(
        entry,
      );
    }
    expect(outboxEntry({ key: null, value: null, headers: {} })).toBeNull();
  });
});
