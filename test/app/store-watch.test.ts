import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { watchStore } from "../../src/app/store-watch.ts";
import { RefusedError, RetriableError } from "../../src/pipeline/errors.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("a store that changes while it is used (A7): a replica is waited for, eviction is refused, silence is left to the shards", async () => {
  let finding: Error | null = null;
  let asked = 0;
  const refused: string[] = [];
  const watch = watchStore(
    () => {
      asked++;
      return finding === null ? Promise.resolve() : Promise.reject(finding);
    },
    1000,
    ({ code }) => refused.push(code),
  );
  const next = async (found: Error | null): Promise<string | null> => {
    finding = found;
    await vi.advanceTimersByTimeAsync(1000);
    return watch.trouble;
  };
  expect(await next(null)).toBeNull();
  expect(await next(new RefusedError("REDIS_REPLICA", "it is a replica"))).toBe("it is a replica");
  expect(await next(new RetriableError("REDIS_UNREACHABLE", "away")), "nobody knows better yet").toBe(
    "it is a replica",
  );
  expect(await next(null)).toBeNull();
  expect(refused).toEqual([]);
  await next(new RefusedError("REDIS_EVICTS", "it evicts"));
  expect(refused).toEqual(["REDIS_EVICTS"]);
  watch.stop();
  const before = asked;
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toBe(before);
});
