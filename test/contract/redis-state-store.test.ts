import { openStore } from "../integration/redis/redis-server.ts";
import { describeStateStore } from "./state-store-suite.ts";

describeStateStore("Redis", () => {
  let shards = 0;
  const store = openStore();
  return Promise.resolve({ store, freshShard: () => shards++, close: () => store.close() });
});
