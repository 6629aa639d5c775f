import { createRequire } from "node:module";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { patchIdleTimer } from "../../../src/adapters/kafka/idle-timer-patch.ts";

const require = createRequire(import.meta.url);

interface Queue {
  pending: unknown[];
  throttledUntil: number;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}

/** A connection's queue of requests, as kafkajs makes one for each. */
function queue(): Queue {
  const RequestQueue = require("kafkajs/src/network/requestQueue/index.js") as new (options: object) => Queue;
  const quiet = (): void => undefined;
  return new RequestQueue({
    instrumentationEmitter: null,
    maxInFlightRequests: 5,
    requestTimeout: 30_000,
    enforceRequestTimeout: false,
    clientId: "test",
    broker: "127.0.0.1:9092",
    logger: { debug: quiet, error: quiet, warn: quiet, info: quiet },
    isConnected: () => true,
  });
}

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }));
afterEach(() => void vi.useRealTimers());

/** How often a second of idleness arms a timer. */
function timersOfASecond(idle: Queue): number {
  const arm = vi.spyOn(globalThis, "setTimeout");
  idle.scheduleCheckPendingRequests();
  vi.advanceTimersByTime(1000);
  const { length } = arm.mock.calls;
  arm.mockRestore();
  idle.destroy();
  return length;
}

test("an idle connection arms no timer; without the patch it arms hundreds a second (A10)", () => {
  expect(timersOfASecond(queue())).toBeGreaterThan(300);
  expect(patchIdleTimer(() => undefined)).toBe(true);
  expect(timersOfASecond(queue())).toBe(0);
});

test.each([
  ["a request waits", (busy: Queue) => void busy.pending.push({})],
  ["the broker has asked for a pause", (busy: Queue) => (busy.throttledUntil = Date.now() + 50)],
])("a connection looks after its queue still when %s", (_, make) => {
  patchIdleTimer(() => undefined);
  const busy = queue();
  make(busy);
  const arm = vi.spyOn(globalThis, "setTimeout");
  busy.scheduleCheckPendingRequests();
  expect(arm).toHaveBeenCalledTimes(1);
  arm.mockRestore();
  busy.pending.length = 0;
  busy.destroy();
});
