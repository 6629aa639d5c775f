import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chunkField, shardKeys } from "../../../src/adapters/redis/keys.ts";
import { CLUSTER_SLOTS, slotOfTag } from "../../../src/adapters/redis/slots.ts";
import { UsageError } from "../../../src/pipeline/errors.ts";

function tagOf(key: string): string {
  return /^\{([^{}]+)\}:/.exec(key)?.[1] ?? "";
}

describe("slots", () => {
  test("are those of the Redis Cluster specification", () => {
    expect(slotOfTag("123456789")).toBe(0x31c3);
    expect(slotOfTag("user1000")).toBe(3443);
    expect(slotOfTag("foo")).toBe(12182);
  });
});

describe("shard keys", () => {
  test("of one shard carry one hash tag, of two shards never the same key", () => {
    const tags = new Set<string>();
    for (let shard = 0; shard < 600; shard++) {
      const keys = Object.values(shardKeys("app", shard)) as string[];
      expect(new Set(keys).size).toBe(4);
      expect(new Set(keys.map(tagOf)).size).toBe(1);
      tags.add(tagOf(keys[0]!));
    }
    expect(tags.size).toBe(600);
  });

  test("stay the same from release to release: renamed, all states would be lost", () => {
    expect(shardKeys("clientela", 0)).toEqual({
      marks: "{clientela:0:10}:marks",
      states: "{clientela:0:10}:states",
      chunks: "{clientela:0:10}:chunks",
      deadlines: "{clientela:0:10}:deadlines",
    });
    expect(shardKeys("clientela", 7).marks).toBe("{clientela:7:65}:marks");
  });

  test.each([8, 12, 16, 24, 32, 48, 64, 100, 128, 256])(
    "%i shards lie evenly over 3 to 8 equal nodes of a cluster",
    (shards) => {
      for (const app of ["clientela", "another-app", "x"]) {
        const slots = Array.from({ length: shards }, (_, shard) =>
          slotOfTag(tagOf(shardKeys(app, shard).marks)),
        );
        for (let nodes = 2; nodes <= 8; nodes++) {
          const counts = new Array<number>(nodes).fill(0);
          for (const slot of slots) counts[Math.floor((slot * nodes) / CLUSTER_SLOTS)]!++;
          // Thrown at random, 8 shards would leave one of four nodes with five of them every eighth time.
          const ideal = shards / nodes;
          expect(Math.max(...counts)).toBeLessThanOrEqual(Math.ceil(ideal) + 2);
          expect(Math.min(...counts)).toBeGreaterThanOrEqual(Math.floor(ideal) - 2);
        }
        for (let nodes = 2; nodes <= Math.min(64, shards); nodes *= 2) {
          const counts = new Array<number>(nodes).fill(0);
          for (const slot of slots) counts[Math.floor((slot * nodes) / CLUSTER_SLOTS)]!++;
          if (Number.isInteger(Math.log2(shards))) expect(new Set(counts)).toEqual(new Set([shards / nodes]));
        }
      }
    },
  );

  test.each([
    [8, 0],
    [12, 1],
    [32, 0],
    [128, 0],
  ])(
    "%i shards of any application differ from node to node of 3 or 6 by as little as can be",
    (shards, more) => {
      for (const nodes of [3, 6]) {
        const ideal = shards / nodes;
        const together = new Array<number>(nodes).fill(0);
        for (let app = 0; app < 100; app++) {
          const counts = new Array<number>(nodes).fill(0);
          for (let shard = 0; shard < shards; shard++) {
            const slot = slotOfTag(tagOf(shardKeys(`app-${app}`, shard).marks));
            const node = Math.floor((slot * nodes) / CLUSTER_SLOTS);
            counts[node]!++;
            together[node]!++;
          }
          // A number of shards that is a power of two goes as near as whole numbers can; others one shard further.
          expect(Math.max(...counts)).toBeLessThanOrEqual(Math.ceil(ideal) + more);
          expect(Math.min(...counts)).toBeGreaterThanOrEqual(Math.floor(ideal) - more);
        }
        // What one application has more on a node, another has elsewhere.
        expect(Math.max(...together)).toBeLessThan(1.1 * ideal * 100);
      }
    },
  );

  test("an application id that would break the tag is refused", () => {
    for (const id of ["", "a}b", "a{b", "a b", "a*", "ä"]) expect(() => shardKeys(id, 0)).toThrow(UsageError);
  });
});

describe("chunk fields", () => {
  test("tell every customer and page apart", () => {
    const id = fc.string({ unit: fc.constantFrom("a", "\0", "1", "é") });
    fc.assert(
      fc.property(id, fc.nat(30), id, fc.nat(30), (a, p, b, q) => {
        expect(chunkField(a, p).equals(chunkField(b, q))).toBe(a === b && p === q);
      }),
      { numRuns: 2000 },
    );
  });
});
