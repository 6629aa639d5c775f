import { newCustomer, type Customer } from "../domain/customer.ts";
import type { CustomerEvent, FactTopic } from "../domain/events.ts";
import { advance, foldEvent, nextDeadline, repolicy } from "../domain/fold.ts";
import type { FoldOptions } from "../domain/fold-api.ts";
import type { Instant } from "../shared/instant.ts";
import type { BatchContext } from "./batch-context.ts";
import { BatchOutputs, OUTPUTS_PER_BATCH } from "./batch-outputs.ts";
import type { MergedRecord } from "./merge.ts";
import type { BatchOutput, CustomerWrite, DeadLetter, Offsets, ShardClock, SourceRecord } from "./ports.ts";
import { throughFor } from "./shard-clock.ts";
import type { EventOutcome } from "./telemetry.ts";

/** S2.3 `future_event`: further than this after its arrival a fact is refused. */
const FUTURE_TOLERANCE_MS = 10 * 60_000;

/** A record that is to be folded, and what it says. */
interface Fact {
  readonly record: SourceRecord;
  readonly event: CustomerEvent;
}

/**
 * One batch of a shard while it is being folded: from the first record, deadline or customer to `finish`.
 * It mutates the customers in the cache; if it is given up, the whole cache is void.
 */
export class Batch {
  readonly seq: number;
  readonly openedAt: number;
  readonly #context: BatchContext;
  readonly #touched = new Map<string, Customer>();
  readonly #outputs: BatchOutputs;
  readonly #offsets: Partial<Record<FactTopic, number>>;
  readonly #loud: FoldOptions;
  readonly #mute: FoldOptions;
  /** How many records of each topic came to what. */
  readonly #counts = new Map<FactTopic, Map<EventOutcome, number>>();
  /** Deadlines that a sweep has applied. */
  readonly #dueAts: Instant[] = [];
  /** What was added and is not yet folded, by customer; and how many records that is. */
  readonly #added = new Map<string, Fact[]>();
  #waiting = 0;
  records = 0;
  swept = 0;
  /** Once it is finished: before this instant none of the customers it has touched has a deadline. */
  noneDueBefore = Infinity;

  constructor(seq: number, openedAt: number, offsets: Offsets, context: BatchContext) {
    this.seq = seq;
    this.openedAt = openedAt;
    this.#offsets = { ...offsets };
    this.#context = context;
    this.#outputs = new BatchOutputs(seq, context);
    this.#loud = { policy: context.policy, quiet: false, forget: true };
    this.#mute = { policy: context.policy, quiet: true, forget: true };
  }

  get offsets(): Offsets {
    return this.#offsets;
  }

  get isEmpty(): boolean {
    return this.records === 0 && this.#touched.size === 0;
  }

  /** What it will publish: changes, referrals and dead letters, of records that wait for their fold as many as is usual. */
  get outputs(): number {
    return this.#outputs.count + this.#waiting * this.#context.outputsPerRecord;
  }

  /** True when another step could exceed what one transaction should carry. */
  get isFull(): boolean {
    return this.outputs > OUTPUTS_PER_BATCH / 4;
  }

  get touched(): ReadonlyMap<string, Customer> {
    return this.#touched;
  }

  /**
   * Takes records in. They are folded together with the others of their customer: one that comes after another finds the customer
   * in the processor's caches (a sixth less CPU an event at five records a customer).
   * @returns customers whose first ones these are, each once: they must be in the cache before anything is folded
   */
  add(records: readonly MergedRecord[]): readonly string[] {
    const strangers: string[] = [];
    for (const { record, decoded } of records) {
      this.records++;
      this.#offsets[record.topic] = record.offset + 1;
      if (decoded.kind === "dead_letter") {
        this.#refuse({ record, reason: decoded.reason, message: decoded.detail });
        continue;
      }
      const { event } = decoded;
      const refusal = this.#futureRefusal(record, event);
      if (refusal !== null) {
        this.#refuse(refusal);
        continue;
      }
      const known = this.#added.get(event.customerId);
      if (known === undefined) {
        this.#added.set(event.customerId, [{ record, event }]);
        strangers.push(event.customerId);
      } else known.push({ record, event });
      this.#waiting++;
    }
    return strangers;
  }

  #futureRefusal(record: SourceRecord, event: CustomerEvent): DeadLetter | null {
    if (event.topic === "referrals") return null;
    const arrivedAt = record.arrivedAt ?? (record.file === undefined ? this.#context.now() : null);
    if (arrivedAt === null || event.occurredAt <= arrivedAt + FUTURE_TOLERANCE_MS) return null;
    const message = `occurredAt is ${new Date(event.occurredAt).toISOString()}, more than 10 minutes after its arrival at ${new Date(arrivedAt).toISOString()}`;
    return { record, reason: "future_event", message };
  }

  /** Folds what was added, customer by customer. The clock must not have moved since. */
  foldAdded(clock: ShardClock | null): void {
    for (const [customerId, facts] of this.#added) this.#foldAll(customerId, facts, clock);
    this.#added.clear();
    this.#waiting = 0;
  }

  #foldAll(customerId: string, facts: readonly Fact[], clock: ShardClock | null): Customer {
    const customer = this.#customer(customerId);
    const through = throughFor(clock, customerId);
    let changed = false;
    for (const { record, event } of facts) {
      if (this.#fold(customer, record, event, through)) changed = true;
    }
    if (changed) this.#touch(customer);
    return customer;
  }

  /** @returns whether the customer is not what it was */
  #fold(customer: Customer, record: SourceRecord, event: CustomerEvent, through: Instant | null): boolean {
    const silent = this.#isHistory(record.topic, record.offset);
    const options = this.#context.quiet || silent ? this.#mute : this.#loud;
    const outcome = foldEvent(customer, event, through, options);
    switch (outcome.kind) {
      case "dead_letter":
        this.#refuse({ record, reason: outcome.reason, message: outcome.detail });
        return false;
      case "skip":
        this.#count(record.topic, outcome.reason);
        return outcome.reason === "superseded";
      case "folded":
        this.#count(record.topic, "folded");
        this.#outputs.publish(event.customerId, outcome.outputs, silent);
        this.#outputs.refer(outcome.referrals);
        return true;
    }
  }

  /** Applies one customer's deadlines up to the clock. The customer must be in the cache. */
  sweep(customerId: string, clock: ShardClock): void {
    const customer = this.#customer(customerId);
    const through = throughFor(clock, customerId);
    if (through === null) return;
    const silent = this.#context.silent !== null && through <= this.#context.silent.at;
    const dueAt = nextDeadline(customer, this.#context.policy);
    const outputs = advance(customer, through, this.#context.quiet || silent ? this.#mute : this.#loud);
    this.swept++;
    this.#touch(customer);
    this.#outputs.publish(customerId, outputs, silent);
    if (dueAt !== null) this.#dueAts.push(dueAt);
  }

  /** Re-folds one customer under the context's policy (S7.3). The customer must be in the cache. */
  repolicy(customerId: string, clock: ShardClock | null): void {
    const customer = this.#customer(customerId);
    // Of a history that is not yet behind, another policy tells as little as its facts do.
    const silent = this.#context.silent !== null;
    const outputs = repolicy(
      customer,
      throughFor(clock, customerId),
      this.#context.quiet || silent ? this.#mute : this.#loud,
    );
    this.#touch(customer);
    this.#outputs.publish(customerId, outputs, silent);
  }

  /** Folds what is left and encodes what was touched. Call it once, before the next batch folds on. */
  finish(clock: ShardClock | null): {
    readonly output: BatchOutput<unknown, unknown>;
    readonly writes: readonly CustomerWrite[];
  } {
    const writes: CustomerWrite[] = [];
    // Those that have been folded before first: what is left is encoded while the fold's memory is at hand.
    for (const [customerId, customer] of this.#touched) {
      if (!this.#added.has(customerId)) writes.push(this.#write(customerId, customer));
    }
    for (const [customerId, facts] of this.#added) {
      const customer = this.#foldAll(customerId, facts, clock);
      if (this.#touched.has(customerId)) writes.push(this.#write(customerId, customer));
    }
    this.#added.clear();
    this.#waiting = 0;
    return { output: this.#outputs.packed(this.#touched), writes };
  }

  #write(customerId: string, customer: Customer): CustomerWrite {
    const { codec, policy, cache } = this.#context;
    if (customer.isEmpty) {
      // Until the commit is done the store would give back what the customer was.
      cache.replace(newCustomer(customerId), this.seq);
      return { customerId, head: null, chunks: [], deadlineAt: null };
    }
    const { head, chunks } = codec.encode(customer);
    const deadlineAt = nextDeadline(customer, policy);
    if (deadlineAt !== null && deadlineAt < this.noneDueBefore) this.noneDueBefore = deadlineAt;
    return { customerId, head, chunks, deadlineAt };
  }

  /** Tells the operators what the batch came to. Call it once it is committed: one that is given up is folded again. */
  report(committedAt: Instant): void {
    const { telemetry, quiet } = this.#context;
    if (quiet) return;
    for (const [topic, outcomes] of this.#counts) {
      for (const [outcome, count] of outcomes) telemetry.events(topic, outcome, count);
    }
    this.#outputs.report(telemetry);
    for (const dueAt of this.#dueAts) telemetry.deadlineLateness(Math.max(0, committedAt - dueAt) / 1000);
    telemetry.batch(this.records);
    if (this.swept > 0) telemetry.sweep(this.swept);
  }

  #count(topic: FactTopic, outcome: EventOutcome): void {
    let outcomes = this.#counts.get(topic);
    if (outcomes === undefined) this.#counts.set(topic, (outcomes = new Map<EventOutcome, number>()));
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  #customer(customerId: string): Customer {
    const customer = this.#context.cache.get(customerId);
    if (customer === undefined) throw new Error("a customer was folded that had not been loaded");
    return customer;
  }

  #touch(customer: Customer): void {
    const customerId = customer.state.customerId;
    this.#touched.set(customerId, customer);
    this.#context.cache.touch(customerId, this.seq);
  }

  #refuse(deadLetter: DeadLetter): void {
    this.#count(deadLetter.record.topic, "dead_letter");
    this.#outputs.refuse(deadLetter);
  }

  #isHistory(topic: FactTopic, offset: number): boolean {
    const silent = this.#context.silent;
    return silent !== null && offset < (silent.offsets[topic] ?? 0);
  }
}

/** True when there is anything that a transaction must carry. */
export function hasOutput(output: BatchOutput<unknown, unknown>): boolean {
  return (
    output.changes.length > 0 ||
    output.segments.length > 0 ||
    output.referrals.length > 0 ||
    output.deadLetters.length > 0
  );
}
