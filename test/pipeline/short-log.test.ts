import { expect, test } from "vitest";
import type { ShardLog } from "../../src/pipeline/ports.ts";
import { order } from "./facts.ts";
import { World } from "./world.ts";

/** Says that it has come to the end of `orders` although it has brought none: a broker that lost its end, or an adapter that errs. */
function endsEarly(log: ShardLog): ShardLog {
  return {
    ...log,
    buffered: (topic) => (topic === "orders" ? [] : log.buffered(topic)),
    position: (topic) => (topic === "orders" ? 0 : log.position(topic)),
    caughtUp: () => true,
  };
}

test.each([
  ["all", Infinity],
  ["what it learned last", 2],
])(
  "a state that has lost %s is not brought up by skipping records that the log did not bring (A4)",
  async (_, lost) => {
    const world = new World();
    await world.append(order("a", 1));
    await world.settle(world.own());
    await world.append(order("b", 2));
    await world.stop();
    await world.settle(world.own());
    await world.stop();
    await world.store.forget(lost);
    const before = await world.marks();

    const owner = world.own({ log: endsEarly, options: { onStateLoss: "rebuild" } });
    world.owners.delete(owner);
    expect(await owner.ended).toMatchObject({ code: "OFFSET_OUT_OF_RANGE", retriable: false });
    expect((await world.marks())?.published ?? 0).toBe(before?.published ?? 0);

    await world.settle(world.own({ options: { onStateLoss: "rebuild" } }));
    await world.stop();
    for (const id of ["a", "b"]) expect((await world.state(id))?.orders).toHaveLength(1);
  },
);
