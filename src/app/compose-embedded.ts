import { createStateCodec } from "../adapters/avro/state-codec.ts";
import { EmbeddedLog, type NewRecord } from "../adapters/embedded/embedded-log.ts";
import { createMemoryStateStore } from "../adapters/embedded/memory-state-store.ts";
import { loadCustomer, type Customer } from "../domain/customer.ts";
import type { CustomerEvent } from "../domain/events.ts";
import type { Policy } from "../domain/policy.ts";
import { DEFAULT_SHARD_OPTIONS, type Logger } from "../pipeline/options.ts";
import type { BatchOutput, Clock, Decoder, StateStore } from "../pipeline/ports.ts";
import { Processor } from "../pipeline/processor.ts";
import { SILENT_TELEMETRY } from "../pipeline/telemetry.ts";
import { policyFromText, policyText } from "./policy-file.ts";

/** The product in one process: the pipeline over a log and a store in memory (A8). One shard. */
export interface EmbeddedEngine {
  readonly log: EmbeddedLog;
  /** Resolves when there is room for more. Rejects when the processor has failed. */
  append(records: readonly NewRecord[]): Promise<void>;
  /** Resolves when all that was appended and all deadlines up to the clock are applied and published. */
  settle(): Promise<void>;
  customer(customerId: string): Promise<Customer | null>;
  /** Every customer, ascending by the UTF-8 bytes of their ids. */
  customers(): AsyncIterable<Customer>;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  readonly policy: Policy;
  readonly clock: Clock;
  onCommitted(output: BatchOutput): void | Promise<void>;
}

const SHARD = 0;
const DRAIN_MS = 10_000;
const PASS_CUSTOMERS = 1000;

/** Records of the embedded log carry their event; nothing is left to decode. */
const DECODED: Decoder = {
  decode(record) {
    if (record.decoded === undefined) throw new Error("a record of the embedded log carries its event");
    return record.decoded;
  },
};

const QUIET: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // An embedded run has no operator; what goes wrong is thrown.
}

export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedEngine> {
  const { policy, clock } = options;
  const log = new EmbeddedLog({
    shards: 1,
    clock,
    input: "endless",
    keep: "uncommitted",
    onCommitted: (_shard, output) => options.onCommitted(output),
  });
  const store = createMemoryStateStore();
  const codec = createStateCodec();
  const processor = new Processor(
    {
      store,
      codec,
      decoder: DECODED,
      clock,
      telemetry: SILENT_TELEMETRY,
      logger: QUIET,
      policy,
      policies: { text: policyText, parse: policyFromText },
      options: {
        ...DEFAULT_SHARD_OPTIONS,
        commitIntervalMs: 0,
        sweepIntervalMs: 0,
        refreshMs: Infinity,
      },
    },
    log.source(),
    DRAIN_MS,
  );
  await processor.start();
  const customer = async (customerId: string): Promise<Customer | null> => {
    const [stored] = await store.read(SHARD, [customerId]);
    return stored === undefined || stored === null
      ? null
      : loadCustomer(codec.decode(customerId, stored), policy);
  };
  return {
    log,
    append: (records) => Promise.race([log.append(records), processor.ended]),
    settle: () => Promise.race([processor.settled(), processor.ended]),
    customer,
    customers: () => eachCustomer(store, customer),
    stop: () => processor.stop(),
  };
}

async function* eachCustomer(
  store: StateStore,
  customer: (customerId: string) => Promise<Customer | null>,
): AsyncGenerator<Customer> {
  let after = "";
  for (;;) {
    const ids = await store.customers(SHARD, after, PASS_CUSTOMERS);
    for (const id of ids) {
      const found = await customer(id);
      if (found !== null) yield found;
      after = id;
    }
    if (ids.length === 0) return;
  }
}

/** An event as a record of the embedded log. */
export function recordOf(event: CustomerEvent): NewRecord {
  return { topic: event.topic, value: null, decoded: { kind: "event", event } };
}
