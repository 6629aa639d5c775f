import { expect, test } from "vitest";
import type { ShardLog } from "../../src/pipeline/ports.ts";
import { order } from "./facts.ts";
import { World } from "./world.ts";

const FOLD_ON_MS = 200;

/**
 * A log as Kafka's is: ends are asked for with each seek, and then not again. A topic counts as caught up at the instant of that
 * question, which is a little later with every look at the clock.
 */
function askedOnce(world: World, log: ShardLog): ShardLog {
  let askedAt = Infinity;
  return {
    ...log,
    seek: async (offsets) => {
      askedAt = world.clock.now();
      world.clock.advanceBy(1);
      await log.seek(offsets);
    },
    caughtUp: (topic, since) => askedAt > since && log.caughtUp(topic, since),
  };
}

test("a shard that was taken over folds on at once: topics that ended where it reads from hold nobody up (A3)", async () => {
  const world = new World();
  await world.append(order("a", 1));
  await world.settle(world.own());
  await world.stop();
  await world.append(order("b", 2));
  // The fence takes its time, so that it can be told from the question.
  world.own({
    log: (log) => ({
      ...askedOnce(world, log),
      fence: async () => {
        const committed = await log.fence();
        world.clock.advanceBy(FOLD_ON_MS);
        return committed;
      },
    }),
  });
  await world.breathe();
  expect(world.changes.map(({ customerId }) => customerId)).toEqual(["a", "b"]);
  await world.stop();
});
