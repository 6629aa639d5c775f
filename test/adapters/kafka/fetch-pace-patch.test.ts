import { createRequire } from "node:module";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { patchMethod } from "../../../src/adapters/kafka/method-patch.ts";
import { patchFetchPace } from "../../../src/adapters/kafka/fetch-pace-patch.ts";

const require = createRequire(import.meta.url);

interface Group {
  fetch(nodeId: string): Promise<readonly { readonly messages: readonly unknown[] }[]>;
}

type Fetch = Group["fetch"];

/** How many records the next fetch brings. */
let count = 0;
/** When fetches reached a broker, ms. */
let fetches: number[] = [];

function answering(): Fetch {
  return () => {
    fetches.push(performance.now());
    return Promise.resolve([{ messages: new Array<unknown>(count) }]);
  };
}

function group(assigners: object[]): Group {
  const { prototype } = require("kafkajs/src/consumer/consumerGroup.js") as { prototype: object };
  return Object.assign(Object.create(prototype) as Group, { assigners });
}

/** Asks again whenever an answer is there, as kafkajs does, for so long; when the fetches began since then. */
async function during(ms: number, reader: Group, nodes: readonly string[] = ["1"]): Promise<number[]> {
  const from = performance.now();
  fetches = [];
  let isOver = false;
  const loops = nodes.map(async (node) => {
    while (!isOver) {
      await reader.fetch(node);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
  await vi.advanceTimersByTimeAsync(ms);
  isOver = true;
  await vi.advanceTimersByTimeAsync(100);
  await Promise.all(loops);
  return fetches.map((at) => Math.round(at - from)).filter((at) => at < ms);
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
  patchMethod<Fetch>("consumerGroup", "fetch", answering);
  patchFetchPace();
  count = 3;
});
afterEach(() => void vi.useRealTimers());

test("what comes within twenty milliseconds is fetched together", async () => {
  expect(await during(100, group([{ fetchEveryMs: 20 }]))).toEqual([0, 20, 40, 60, 80]);
});

test("whoever is behind does not wait", async () => {
  const reader = group([{ fetchEveryMs: 20 }]);
  count = 500;
  expect((await during(20, reader)).length).toBeGreaterThan(10);
});

test("each broker has a pace of its own", async () => {
  const begun = await during(100, group([{ fetchEveryMs: 20 }]), ["1", "2"]);
  expect(begun).toEqual([0, 0, 20, 20, 40, 40, 60, 60, 80, 80]);
});

test("consumers of others are left as they are", async () => {
  expect((await during(20, group([{}]))).length).toBeGreaterThan(10);
});
