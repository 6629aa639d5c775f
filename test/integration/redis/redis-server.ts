import { inject } from "vitest";
import {
  createRedisStateStore,
  type RedisStateStore,
  type RedisStateStoreOptions,
} from "../../../src/adapters/redis/state-store.ts";
import { pagesOfTestHead } from "../../contract/state-store-suite.ts";

const quiet = (): void => undefined;
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
let applications = 0;

/** The test run's Redis. */
export function redisUrl(): string {
  return inject("endpoints").REDIS_URL;
}

/** An application id that nobody used before, so that tests do not meet, nor former runs. */
export function freshApplicationId(): string {
  return `test-${Date.now().toString(36)}-${process.pid}-${applications++}`;
}

type StoreChange =
  "url" | "cluster" | "applicationId" | "connectTimeoutMs" | "commandTimeoutMs" | "wait" | "logger" | "pages";

export function openStore(change: Partial<Pick<RedisStateStoreOptions, StoreChange>> = {}): RedisStateStore {
  return createRedisStateStore({
    url: redisUrl(),
    applicationId: freshApplicationId(),
    pages: pagesOfTestHead,
    logger,
    connectTimeoutMs: 1000,
    ...change,
  });
}
