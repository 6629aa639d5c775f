import { expect, test } from "vitest";
import type { Decoded } from "../../src/domain/accept.ts";
import type { Decoder, ShardLog, SourceRecord } from "../../src/pipeline/ports.ts";
import { day, order } from "./facts.ts";
import { World } from "./world.ts";

const DAMAGED: Decoded = { kind: "dead_letter", reason: "undecodable", detail: "damaged behind its head" };

const IN_TIME = [order("a", 1), order("b", 2), order("a", 3), order("b", 4), order("a", 5)];
const LATE = order("b", 300);
const FROM_FUTURE = order("a", 8);

/** Records as a log of bytes has them, and a decoder that knows what they say; `asked` in which order it was asked for that. */
class Bytes {
  readonly asked: string[] = [];
  readonly #said = new WeakMap<SourceRecord, Decoded>();
  readonly #plain = new WeakMap<SourceRecord, SourceRecord>();
  /** Offsets of records that are whole as far as a glimpse shows. */
  readonly damaged = new Set<number>();
  /** Offsets of records that show no glimpse. */
  readonly early = new Set<number>();

  log(inner: ShardLog): ShardLog {
    return { ...inner, buffered: (topic) => inner.buffered(topic).map((record) => this.#bare(record)) };
  }

  get decoder(): Decoder {
    return {
      decode: (record) => this.#tell("early", record),
      late: {
        glimpse: (record) => {
          const said = this.#said.get(record);
          if (said?.kind !== "event" || said.event.topic === "referrals" || this.early.has(record.offset))
            return null;
          const { customerId, occurredAt } = said.event;
          return { kind: "glimpse", customerId, occurredAt };
        },
        decode: (record) => (this.damaged.has(record.offset) ? DAMAGED : this.#tell("late", record)),
      },
    };
  }

  #tell(when: string, record: SourceRecord): Decoded {
    this.asked.push(`${when} ${record.offset}`);
    return this.#said.get(record)!;
  }

  #bare(record: SourceRecord): SourceRecord {
    const known = this.#plain.get(record);
    if (known !== undefined) return known;
    const { decoded, ...bare } = record;
    this.#plain.set(record, bare);
    this.#said.set(bare, decoded!);
    return bare;
  }
}

async function folded(bytes: Bytes | null): Promise<World> {
  const world = new World({ options: { commitIntervalMs: 1_000 } });
  await world.append(...IN_TIME);
  await world.appendRecords([
    { topic: "orders", value: null, arrivedAt: LATE.occurredAt, decoded: { kind: "event", event: LATE } },
    // Occurred more than ten minutes after it came in.
    {
      topic: "orders",
      value: null,
      arrivedAt: day(6),
      decoded: { kind: "event", event: FROM_FUTURE },
    },
  ]);
  world.clock.advanceTo(day(400));
  const owner = world.own(bytes === null ? {} : { decoder: bytes.decoder, log: (inner) => bytes.log(inner) });
  await world.settle(owner);
  await world.stop();
  return world;
}

function told({ transactions }: World): unknown {
  return transactions.map(({ offsets, output: { changes, segments, deadLetters } }) => [
    offsets,
    changes,
    segments,
    deadLetters.map(({ reason, message, record }) => [reason, message, record.offset]),
  ]);
}

test("records that are decoded when they are folded come to what they come to decoded before", async () => {
  const bytes = new Bytes();
  bytes.early.add(2);
  expect(told(await folded(bytes))).toEqual(told(await folded(null)));
  // Customer by customer; the one from the future is never decoded.
  expect(bytes.asked).toEqual(["early 2", "late 0", "late 4", "late 1", "late 3", "late 5"]);
});

test("one that turns out damaged then is a dead letter, and the others are folded", async () => {
  const bytes = new Bytes();
  bytes.damaged.add(1);
  const world = await folded(bytes);
  const letters = world.transactions.flatMap(({ output }) => output.deadLetters);
  expect(letters.map(({ reason, record }) => `${reason} ${record.offset}`)).toEqual([
    "future_event 6",
    "undecodable 1",
  ]);
  expect(bytes.asked).toEqual(["late 0", "late 2", "late 4", "late 3", "late 5"]);
  expect(world.transactions.at(-1)?.offsets.orders).toBe(7);
});
