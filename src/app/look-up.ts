import { createStateCodec } from "../adapters/avro/state-codec.ts";
import { readEventFiles } from "../adapters/embedded/event-files.ts";
import { createVirtualClock } from "../adapters/embedded/clock.ts";
import { checkTopics } from "../adapters/kafka/topics.ts";
import { loadCustomer, type Customer } from "../domain/customer.ts";
import type { Policy } from "../domain/policy.ts";
import type { Logger } from "../pipeline/options.ts";
import { instant } from "../shared/instant.ts";
import { partitionOf } from "../shared/murmur2.ts";
import { startEmbedded } from "./compose-embedded.ts";
import { kafkaClient, stateStoreOf, type Servers } from "./compose-kafka.ts";

/** A customer as the state store has it; null: unknown. */
export async function customerFromStore(
  servers: Servers,
  customerId: string,
  policy: Policy,
  logger: Logger,
): Promise<Customer | null> {
  const admin = kafkaClient(servers, logger).admin();
  await admin.connect();
  const shards = await checkTopics(admin, servers.topicPrefix).finally(() => admin.disconnect());
  const store = stateStoreOf(servers, logger);
  try {
    const shard = partitionOf(Buffer.from(customerId, "utf8"), shards);
    const [stored] = await store.read(shard, [customerId]);
    if (stored === undefined || stored === null) return null;
    return loadCustomer(createStateCodec().decode(customerId, stored), policy);
  } finally {
    await store.close();
  }
}

/** A customer folded from event files; null: they do not name it. All events are read: others may have referred to it. */
export async function customerFromFiles(
  files: readonly string[],
  customerId: string,
  policy: Policy,
): Promise<Customer | null> {
  const engine = await startEmbedded({
    policy,
    clock: createVirtualClock(instant(0)),
    shard: { forget: false },
    onCommitted: () => undefined,
  });
  try {
    for await (const records of await readEventFiles(files)) await engine.append(records);
    await engine.settle();
    return await engine.customer(customerId);
  } finally {
    await engine.stop();
  }
}
