import { createMemoryStateStore } from "../../../src/adapters/embedded/memory-state-store.ts";
import { describeStateStore } from "../../contract/state-store-suite.ts";

describeStateStore("memory", () => {
  let shards = 0;
  const store = createMemoryStateStore();
  return Promise.resolve({ store, freshShard: () => shards++, close: () => store.close() });
});
