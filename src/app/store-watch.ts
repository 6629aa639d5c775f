import { RefusedError } from "../pipeline/errors.ts";

export interface StoreWatch {
  /** What the last look found that keeps the store from taking writes; null: nothing. */
  readonly trouble: string | null;
  stop(): void;
}

/**
 * Asks at an interval whether the state store is still one that states are safe on (A7). A master that has been demoted is waited for,
 * because a failover may be under way; all else that would be refused at the start is refused. A store that does not answer is left
 * to the shards, which wait for it.
 */
export function watchStore(
  check: () => Promise<void>,
  intervalMs: number,
  onRefused: (error: RefusedError) => void,
): StoreWatch {
  let trouble: string | null = null;
  let isStopped = false;
  let timer: NodeJS.Timeout;
  const look = async (): Promise<void> => {
    try {
      await check();
      trouble = null;
    } catch (error) {
      if (!(error instanceof RefusedError) || isStopped) return;
      if (error.code === "REDIS_REPLICA") trouble = error.message;
      else onRefused(error);
    }
  };
  const again = (): void => {
    timer = setTimeout(() => {
      void look().finally(() => {
        if (!isStopped) again();
      });
    }, intervalMs);
  };
  again();
  return {
    get trouble() {
      return trouble;
    },
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
