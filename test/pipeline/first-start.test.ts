import { describe, expect, test } from "vitest";
import { testPolicy } from "../policy.ts";
import { day, order } from "./facts.ts";
import { World } from "./world.ts";

const NOW = day(1000);

describe("a first start on years of data that tells of it (I6 publish, S8)", () => {
  test("what was decided more than liveWithinHours after it took effect is HISTORY, the rest LIVE", async () => {
    const world = new World({ startAt: NOW });
    await world.append(order("old", 500), order("recent", 1000 - 23 / 24), order("older", 1000 - 25 / 24));
    await world.settle(world.own());
    await world.stop();
    const origins = world.changes.map(({ customerId, change }) => [customerId, change?.origin]);
    expect(origins).toContainEqual(["recent", "LIVE"]);
    expect(origins).toContainEqual(["older", "HISTORY"]);
    expect(origins.filter(([customerId]) => customerId === "old").length).toBeGreaterThan(1);
    for (const [customerId, origin] of origins) if (customerId === "old") expect(origin).toBe("HISTORY");
  });
});

describe("a first start that tells nobody of the past (I6 silent)", () => {
  const SILENT = { firstStart: "silent" } as const;

  test("makes no changes of it, fills customer-segments, and publishes what comes after as LIVE", async () => {
    const world = new World({ startAt: NOW, options: SILENT });
    await world.append(order("a", 500), order("b", 990));
    const owner = world.own();
    await world.settle(owner);
    expect(world.changes).toEqual([]);
    const segments = new Map(
      world.transactions.flatMap(({ output }) =>
        output.segments.map((s) => [s.customerId, s.segment] as const),
      ),
    );
    expect(segments.get("a")?.classification.status).toBe("INACTIVE");
    expect(segments.get("b")?.classification.status).toBe("ACTIVE");
    world.clock.advanceTo(day(1001));
    await world.append(order("a", 1001));
    await world.settle(owner);
    expect(world.changes).toHaveLength(1);
    expect(world.changes[0]!.change).toMatchObject({
      customerId: "a",
      origin: "LIVE",
      previous: segments.get("a")!.classification,
      current: { status: "ACTIVE" },
    });
    expect(world.transactions.at(-1)!.receipt.silentBelow).toBeNull();
    await world.stop();
  });

  test("a fact that comes while the past is still being read does not drag the past along", async () => {
    const world = new World({ startAt: NOW, options: SILENT });
    await world.append(order("a", 500));
    const live = order("a", 1000);
    let isSent = false;
    const owner = world.own({
      log: (inner) => ({
        ...inner,
        // The shard has said where history ends; the fact comes right behind it.
        commit: async (output, committed) => {
          await inner.commit(output, committed);
          if (!isSent) await world.append(live);
          isSent = true;
        },
      }),
    });
    await world.settle(owner);
    await world.stop();
    expect(world.changes.map(({ change }) => [change?.effectiveAt, change?.previous?.status])).toEqual([
      [day(1000), "INACTIVE"],
    ]);
  });

  test("another policy before the past is behind tells as little of it", async () => {
    const world = new World({ startAt: NOW, options: { ...SILENT, batchRecords: 1 } });
    await world.append(...Array.from({ length: 6 }, (_, i) => order(`c${i}`, 300 + 30 * i)));
    const first = world.own({
      adversary: (call) => (call === "transaction" && world.transactions.length >= 3 ? "stall" : null),
    });
    await world.until(() => world.held.count > 0);
    first.life.kill();
    expect(world.transactions.at(-1)!.receipt.silentBelow).not.toBeNull();
    const policy = testPolicy({
      version: "next",
      profiles: [{ name: "B2C", value: { aMinor: 9000, bMinor: 100 } }],
    });
    const second = world.own({ policy });
    await world.settle(second);
    expect(world.changes).toEqual([]);
    await world.append(order("c0", 1000));
    await world.settle(second);
    await world.stop();
    expect(world.changes.map(({ change }) => [change?.customerId, change?.origin])).toEqual([["c0", "LIVE"]]);
  });

  test.each([1, 2, 3, 5, 8])(
    "a crash after %i transactions of it changes nothing of that",
    async (crashAfter) => {
      const world = new World({ startAt: NOW, options: { ...SILENT, batchRecords: 2, sweepCustomers: 2 } });
      const facts = Array.from({ length: 12 }, (_, i) => order(`c${i % 6}`, 300 + 30 * i));
      await world.append(...facts);
      const first = world.own();
      await world.until(() => world.transactions.length >= crashAfter, 1);
      first.life.kill();
      const second = world.own();
      await world.settle(second);
      expect(world.changes).toEqual([]);
      await world.append(order("c0", 1000));
      await world.settle(second);
      await world.stop();
      expect(world.changes.map(({ customerId }) => customerId)).toEqual(["c0"]);
    },
  );
});
