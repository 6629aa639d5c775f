import type { Kafka } from "kafkajs";
import { createAvroDecoder } from "../adapters/avro/decoder.ts";
import { changeHeaders, createAvroEncoder } from "../adapters/avro/encoder.ts";
import { createRegistry, type SchemaSource } from "../adapters/avro/registry.ts";
import { createStateCodec } from "../adapters/avro/state-codec.ts";
import { createSystemClock } from "../adapters/embedded/clock.ts";
import { createKafkaClient } from "../adapters/kafka/client.ts";
import type { Delivery } from "../adapters/kafka/commit-strategy.ts";
import { DEFAULT_SOURCE, KafkaShardSource } from "../adapters/kafka/shard-source.ts";
import { createRedisStateStore, type RedisStateStore } from "../adapters/redis/state-store.ts";
import type { WaitOptions } from "../adapters/redis/replica-wait.ts";
import type { Policy } from "../domain/policy.ts";
import { DEFAULT_SHARD_OPTIONS, type Logger, type ShardOptions } from "../pipeline/options.ts";
import type { ShardSource, StateStore } from "../pipeline/ports.ts";
import { Processor } from "../pipeline/processor.ts";
import type { Telemetry } from "../pipeline/telemetry.ts";
import { watchStore } from "./store-watch.ts";
import { policyFromText, policyText } from "./policy-file.ts";

/** Where the real servers are and under which names this application works with them. */
export interface Servers {
  readonly brokers: readonly string[];
  readonly registryUrl: string;
  readonly registryAuth: { readonly username: string; readonly password: string } | null;
  readonly redisUrl: string;
  readonly redisCluster: boolean;
  /** null: commits do not wait for replicas. */
  readonly redisWait: WaitOptions | null;
  readonly applicationId: string;
  readonly topicPrefix: string;
  readonly ssl: Parameters<typeof createKafkaClient>[0]["ssl"];
  readonly sasl: Parameters<typeof createKafkaClient>[0]["sasl"];
}

export interface ProcessorOptions {
  readonly servers: Servers;
  readonly policy: Policy;
  /** Read where the state store has lost their text. */
  readonly formerPolicies?: readonly Policy[];
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly drainMs: number;
  readonly sessionTimeoutMs?: number;
  /** Default: exactly-once. */
  readonly delivery?: Delivery;
  readonly shard?: Partial<ShardOptions>;
  /** Puts something between the shards and their ports: tests make them fail at a named step. */
  readonly through?: (ports: ShardPorts) => ShardPorts;
}

/** What the shards of a processor work on. */
export interface ShardPorts {
  readonly store: StateStore;
  readonly source: ShardSource;
}

/** The processor on Kafka, Redis and the registry, started; `stop` drains it and leaves the group. */
export interface RunningProcessor {
  readonly processor: Processor;
  /** Rejects with the first trouble that waiting cannot mend. */
  readonly ended: Promise<never>;
  /** What keeps this process from being ready; empty when nothing does. */
  troubles(): string[];
  /** Drains, leaves the group and ends all connections. */
  stop(): Promise<void>;
}

export function kafkaClient(servers: Servers, logger: Logger): Kafka {
  const { brokers, applicationId, ssl, sasl } = servers;
  return createKafkaClient({ brokers, clientId: applicationId, ssl, sasl }, logger);
}

export function registryOf(servers: Servers): SchemaSource {
  return createRegistry(servers.registryUrl, servers.registryAuth);
}

export function stateStoreOf(servers: Servers, logger: Logger): RedisStateStore {
  const codec = createStateCodec();
  return createRedisStateStore({
    url: servers.redisUrl,
    cluster: servers.redisCluster,
    applicationId: servers.applicationId,
    pages: (head) => codec.pages(head),
    logger,
    ...(servers.redisWait === null ? {} : { wait: servers.redisWait }),
  });
}

/** How often the state store is asked whether it is still one that states are safe on. */
const STORE_WATCH_MS = 5_000;

/** Checks what the processor relies on, then joins the group. Throws RefusedError when going on could falsify data. */
export async function startProcessor(options: ProcessorOptions): Promise<RunningProcessor> {
  const { servers, policy, formerPolicies: former = [], logger, telemetry } = options;
  const registry = registryOf(servers);
  const encoder = await createAvroEncoder(registry, servers.topicPrefix);
  const store = stateStoreOf(servers, logger);
  try {
    await store.check();
    const source = new KafkaShardSource(kafkaClient(servers, logger), {
      ...DEFAULT_SOURCE,
      sessionTimeoutMs: options.sessionTimeoutMs ?? DEFAULT_SOURCE.sessionTimeoutMs,
      delivery: options.delivery ?? DEFAULT_SOURCE.delivery,
      applicationId: servers.applicationId,
      prefix: servers.topicPrefix,
      policy: `${policy.version} ${policy.hash.slice(0, 12)}`,
      encoder: {
        ...encoder,
        headers: (change) => changeHeaders(change, `/clientela/${servers.applicationId}`),
      },
      logger,
    });
    const ports = options.through?.({ store, source }) ?? { store, source };
    const processor = new Processor(
      {
        store: ports.store,
        codec: createStateCodec(),
        decoder: createAvroDecoder(registry),
        clock: createSystemClock(),
        telemetry,
        logger,
        policy,
        policies: { text: policyText, parse: policyFromText, former },
        options: { ...DEFAULT_SHARD_OPTIONS, ...options.shard },
      },
      ports.source,
      options.drainMs,
    );
    await processor.start();
    const refused = Promise.withResolvers<never>();
    const watch = watchStore(() => store.check(), STORE_WATCH_MS, refused.reject);
    const ended = Promise.race([processor.ended, refused.promise]);
    ended.catch(() => undefined);
    return {
      processor,
      ended,
      troubles: () => [...(watch.trouble === null ? [] : [watch.trouble]), ...processor.troubles()],
      stop: async () => {
        watch.stop();
        await processor.stop();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}
