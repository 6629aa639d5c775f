import { RedisCluster } from "../integration/redis/redis-cluster.ts";
import { openStore } from "../integration/redis/redis-server.ts";
import { describeStateStore } from "./state-store-suite.ts";

/** Shards of one application lie on all masters in turn, so that the suite goes over all of them. */
describeStateStore("Redis Cluster", async () => {
  const cluster = await RedisCluster.start();
  const store = openStore({ url: cluster.url, cluster: true });
  let shards = 0;
  return {
    store,
    freshShard: () => shards++,
    close: async () => {
      await store.close();
      await cluster.stop();
    },
  };
});
