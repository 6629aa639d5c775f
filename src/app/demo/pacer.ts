/** Spreads a show over real time so that a person can read along. Without pacing it never waits. */
export interface Pacer {
  /** Resolves when so much of the show (0…1) may have been seen, or when the signal fires. */
  reach(share: number): Promise<void>;
}

export const NO_PACE: Pacer = { reach: () => Promise.resolve() };

/** A show of `totalMs`, from now on. What the engine takes is not waited for twice. */
export function createPacer(totalMs: number, signal: AbortSignal): Pacer {
  const startedAt = performance.now();
  return {
    reach: async (share) => {
      const waitMs = startedAt + share * totalMs - performance.now();
      if (waitMs > 0 && !signal.aborted) await pause(waitMs, signal);
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish, { once: true });
  });
}
