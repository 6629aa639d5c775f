import { expect, test } from "vitest";
import type { FactTopic } from "../../src/domain/events.ts";
import type { ShardLog } from "../../src/pipeline/ports.ts";
import type { NewRecord } from "../../src/adapters/embedded/embedded-log.ts";
import { day, order, recorded } from "./facts.ts";
import { World } from "./world.ts";

const UNREADABLE: NewRecord = {
  topic: "surveys",
  key: Buffer.from("b"),
  value: null,
  arrivedAt: day(20),
  decoded: { kind: "dead_letter", reason: "undecodable", detail: "not Avro" },
};

/** A log that has not heard of a topic's records. */
function deafTo(deaf: FactTopic): (log: ShardLog) => ShardLog {
  return (log) => ({
    ...log,
    buffered: (topic) => (topic === deaf ? [] : log.buffered(topic)),
    position: (topic) => (topic === deaf ? 0 : log.position(topic)),
    caughtUp: (topic, since) => topic === deaf || log.caughtUp(topic, since),
  });
}

test("one contender has the store, the other the log: what is stored and what is published do not part (A4)", async () => {
  const world = new World({ startAt: day(20) });
  await world.append(order("a", 1), order("b", 2));
  await world.settle(world.own());
  await world.stop();

  let isFirst = true;
  world.own({
    log: deafTo("customers"),
    adversary: (call) => {
      if (call !== "fence" || !isFirst) return null;
      isFirst = false;
      return "stall";
    },
  });
  await world.until(() => world.held.count === 1);
  world.own({ log: deafTo("surveys") });
  await world.breathe();
  // To the one a fact that changes nobody: a script without a transaction. To the other, when it has the log, a dead letter: a
  // transaction for which the store is not asked.
  await world.append(recorded("a", 20, { note: "x" }));
  await world.appendRecords([UNREADABLE]);
  await world.breathe();
  world.held.releaseAll();
  await world.breathe();
  for (const { life } of world.owners) life.kill();
  world.owners.clear();

  await world.settle(world.own());
  await world.stop();
  expect(world.transactions.flatMap(({ output }) => output.deadLetters)).toHaveLength(1);
  expect((await world.state("a"))?.register).toHaveLength(1);
});
