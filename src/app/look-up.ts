import { createStateCodec } from "../adapters/avro/state-codec.ts";
import { Scratch } from "../adapters/embedded/scratch.ts";
import { checkTopics } from "../adapters/kafka/topics.ts";
import { loadCustomer, type Customer } from "../domain/customer.ts";
import type { Policy } from "../domain/policy.ts";
import type { Logger } from "../pipeline/options.ts";
import type { Instant } from "../shared/instant.ts";
import { partitionOf } from "../shared/murmur2.ts";
import { withAdmin } from "./admin.ts";
import { stateStoreOf, type Servers } from "./compose-kafka.ts";
import { crewOfOne } from "./replay/crew.ts";
import { dealOutReferrals, memoryForReplay, readAll } from "./replay/dealing.ts";
import { partOf, Parts } from "./replay/parts.ts";
import { PartReplayer } from "./replay/replay-part.ts";

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
  const scratch = new Scratch(memoryForReplay());
  try {
    const parts = new Parts(scratch);
    const { asOf } = await readAll({ files, asOf: null, signal, onProgress: () => undefined }, parts);
    if (parts.mayRefer) await dealOutReferrals(parts, crewOfOne(policy, files, []), asOf, signal);
    const replayer = new PartReplayer({ policy, files, outputs: [] });
    const customer = replayer.customer(parts.pieces(partOf(customerId)), customerId, asOf);
    return { customer, newestAt: asOf };
  } finally {
    scratch.close();
  }
}
