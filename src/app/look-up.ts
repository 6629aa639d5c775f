import { createStateCodec } from "../adapters/avro/state-codec.ts";
import type { NewRecord } from "../adapters/embedded/embedded-log.ts";
import { readEventFiles } from "../adapters/embedded/event-files.ts";
import { createVirtualClock } from "../adapters/embedded/clock.ts";
import { checkTopics } from "../adapters/kafka/topics.ts";
import { loadCustomer, type Customer } from "../domain/customer.ts";
import type { Policy } from "../domain/policy.ts";
import type { Logger } from "../pipeline/options.ts";
import { instant, type Instant } from "../shared/instant.ts";
import { partitionOf } from "../shared/murmur2.ts";
import { withAdmin } from "./admin.ts";
import { startEmbedded } from "./compose-embedded.ts";
import { stateStoreOf, type Servers } from "./compose-kafka.ts";
import { throwIfInterrupted } from "./interrupted.ts";

/** A customer as the state store has it; null: unknown. Its shard is by the number of partitions, which the broker knows. */
export async function customerFromStore(
  servers: Servers,
  customerId: string,
  policy: Policy,
  logger: Logger,
): Promise<Customer | null> {
  const shards = await withAdmin(servers, logger, "asking for the number of shards", (admin) =>
    checkTopics(admin, servers.topicPrefix),
  );
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

/** What event files know of a customer, and the newest instant in them. */
export interface FoundInFiles {
  /** null: they do not name it. */
  readonly customer: Customer | null;
  readonly newestAt: Instant;
}

/** A customer folded from event files. All events are read: others may have referred to it. */
export async function customerFromFiles(
  files: readonly string[],
  customerId: string,
  policy: Policy,
  signal: AbortSignal,
): Promise<FoundInFiles> {
  const engine = await startEmbedded({
    policy,
    clock: createVirtualClock(instant(0)),
    shard: { forget: false },
    onCommitted: () => undefined,
  });
  let newestAt = instant(0);
  try {
    for await (const records of await readEventFiles(files)) {
      throwIfInterrupted(signal);
      newestAt = newestInstant(newestAt, records);
      await engine.append(records);
    }
    await engine.settle();
    return { customer: await engine.customer(customerId), newestAt };
  } finally {
    await engine.stop();
  }
}

/** The newest `occurredAt` so far. */
function newestInstant(before: Instant, records: readonly NewRecord[]): Instant {
  let newest = before;
  for (const { decoded } of records) {
    if (decoded?.kind !== "event" || decoded.event.topic === "referrals") continue;
    if (decoded.event.occurredAt > newest) newest = decoded.event.occurredAt;
  }
  return newest;
}
