import type { VirtualClock } from "../../adapters/embedded/clock.ts";
import type { CustomerEvent } from "../../domain/events.ts";
import type { Customer } from "../../domain/customer.ts";
import type { Policy } from "../../domain/policy.ts";
import type { BatchOutput } from "../../pipeline/ports.ts";

/** The product, running in this process on the embedded composition. */
export interface DemoEngine {
  /** Puts records into the log, in this order. Arrival (S2.3) is the clock's now. */
  append(records: readonly CustomerEvent[]): Promise<void>;
  /** Resolves when all appended events and all deadlines ≤ the clock's now are applied and published. */
  settle(): Promise<void>;
  customer(customerId: string): Promise<Customer | null>;
  stop(): Promise<void>;
}

/** What the demo is given: whoever wires it decides on log and store. */
export interface DemoDependencies {
  start(options: {
    readonly policy: Policy;
    /** Moved by the demo alone; whoever sleeps on it wakes when the demo moves it. */
    readonly clock: VirtualClock;
    /** Called with each batch once it is committed, in order. */
    readonly onCommitted: (output: BatchOutput) => void;
  }): Promise<DemoEngine>;
}
