import type { Clock } from "../../pipeline/ports.ts";
import { instant, type Instant } from "../../shared/instant.ts";

/** Real time. */
export function createSystemClock(): Clock {
  return { now: () => instant(Date.now()), sleep: sleepReal };
}

/**
 * Time that stands still at `at` while waiting takes real time: a run to a stated instant (`--as-of`, S7.1c), in which no
 * deadline beyond it ever comes due.
 */
export function createFixedClock(at: Instant): Clock {
  return { now: () => at, sleep: sleepReal };
}

/** Time that its owner moves by hand; for tests and simulations. */
export interface VirtualClock extends Clock {
  /** Moves to `at` (never back) and wakes, in order, those whose sleep is over by then. */
  advanceTo(at: Instant): void;
  advanceBy(ms: number): void;
}

export function createVirtualClock(startAt: Instant): VirtualClock {
  let now = startAt;
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();
  const clock: VirtualClock = {
    now: () => now,
    sleep(ms, signal) {
      if (signal?.aborted === true || ms <= 0) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = (): void => {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const sleeper = { until: now + ms, wake };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", wake, { once: true });
      });
    },
    advanceTo(at) {
      if (at > now) now = at;
      const over = [...sleepers].filter(({ until }) => until <= now);
      for (const { wake } of over.sort((a, b) => a.until - b.until)) wake();
    },
    advanceBy(ms) {
      clock.advanceTo(instant(now + ms));
    },
  };
  return clock;
}

/** Node's own sleep rejects when it is woken, with an error and its stack each time: a fiftieth of the CPU of a shard with little to do. */
function sleepReal(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal?.addEventListener("abort", wake, { once: true });
  });
}
