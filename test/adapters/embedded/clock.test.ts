import { describe, expect, test } from "vitest";
import {
  createFixedClock,
  createSystemClock,
  createVirtualClock,
} from "../../../src/adapters/embedded/clock.ts";
import { instant } from "../../../src/shared/instant.ts";

describe("system clock", () => {
  test("tells real time and sleeps so long, or until the signal", async () => {
    const clock = createSystemClock();
    const before = Date.now();
    await clock.sleep(20);
    expect(clock.now()).toBeGreaterThanOrEqual(before + 19);
    const abort = new AbortController();
    const sleeping = clock.sleep(60_000, abort.signal);
    abort.abort();
    await expect(sleeping).resolves.toBeUndefined();
    await expect(clock.sleep(60_000, abort.signal)).resolves.toBeUndefined();
  });
});

describe("fixed clock", () => {
  test("stands still, but sleeping ends", async () => {
    const clock = createFixedClock(instant(42));
    await clock.sleep(5);
    expect(clock.now()).toBe(42);
  });
});

describe("virtual clock", () => {
  test("wakes sleepers in the order of their time, not of their calls, and never goes back", async () => {
    const clock = createVirtualClock(instant(1000));
    const woken: string[] = [];
    const sleeps = [30, 10, 20, 50].map((ms) =>
      clock.sleep(ms).then(() => woken.push(`${ms}@${clock.now()}`)),
    );
    clock.advanceBy(30);
    await Promise.all(sleeps.slice(0, 3));
    expect(woken).toEqual(["10@1030", "20@1030", "30@1030"]);
    clock.advanceTo(instant(5));
    expect(clock.now()).toBe(1030);
    clock.advanceTo(instant(1050));
    await sleeps[3];
    expect(woken.at(-1)).toBe("50@1050");
  });

  test("a sleep ends with its signal, and at once when there is nothing to wait for", async () => {
    const clock = createVirtualClock(instant(0));
    const abort = new AbortController();
    const sleeping = clock.sleep(10, abort.signal);
    abort.abort();
    await sleeping;
    await clock.sleep(10, abort.signal);
    await clock.sleep(0);
    expect(clock.now()).toBe(0);
  });
});
