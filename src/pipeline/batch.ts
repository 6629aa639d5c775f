import { newCustomer, type Customer } from "../domain/customer.ts";
import type { ChangeDraft, CustomerSegment, Origin, SegmentChange } from "../domain/change.ts";
import { changeOf } from "../domain/draft.ts";
import { segmentAt } from "../domain/explain.ts";
import type { FactTopic } from "../domain/events.ts";
import { advance, foldEvent, nextDeadline, repolicy } from "../domain/fold.ts";
import type { FoldOptions, FoldOutput, ReferralUpdate } from "../domain/fold-api.ts";
import type { Policy } from "../domain/policy.ts";
import type { Instant } from "../shared/instant.ts";
import type { CustomerCache } from "./customer-cache.ts";
import type { MergedRecord } from "./merge.ts";
import type {
  BatchOutput,
  CustomerWrite,
  DeadLetter,
  Offsets,
  OutputPacking,
  ShardClock,
  SilentHistory,
  StateCodec,
} from "./ports.ts";
import { throughFor } from "./shard-clock.ts";
import type { EventOutcome, Telemetry, ToldChange } from "./telemetry.ts";

/** S2.3 `future_event`: further than this after its arrival a fact is refused. */
const FUTURE_TOLERANCE_MS = 10 * 60_000;

/** A batch has fewer outputs than this, so that `seq` = batch seq · 2²⁰ + index stays ascending (A4). */
export const OUTPUTS_PER_BATCH = 2 ** 20;

export interface BatchContext {
  readonly shard: number;
  readonly policy: Policy;
  readonly cache: CustomerCache;
  readonly codec: StateCodec;
  readonly packing: OutputPacking;
  readonly telemetry: Telemetry;
  /** Wall clock: arrival of records without one, `decidedAt`, HISTORY or LIVE. A batch may stay open past a deadline. */
  now(): Instant;
  /** Nothing is published at all: the silent re-fold of A4. */
  readonly quiet: boolean;
  /** A silent first start's history: there only segments are published (I6). */
  readonly silent: SilentHistory | null;
}

/**
 * One batch of a shard while it is being folded: from the first record, deadline or customer to `seal`.
 * It mutates the customers in the cache; if it is given up, the whole cache is void.
 */
export class Batch {
  readonly seq: number;
  readonly openedAt: number;
  readonly #context: BatchContext;
  readonly #touched = new Map<string, Customer>();
  /** As the log packed them; so are the segments. */
  readonly #changes: { customerId: string; change: unknown }[] = [];
  readonly #segments = new Map<string, unknown>();
  /** What the operators are told of each change. */
  readonly #told: ToldChange[] = [];
  /** Folded in a silent history: their segment is made when the batch is sealed. */
  readonly #unannounced = new Set<string>();
  readonly #referrals: (ReferralUpdate & { version: number })[] = [];
  readonly #deadLetters: DeadLetter[] = [];
  readonly #offsets: Partial<Record<FactTopic, number>>;
  readonly #loud: FoldOptions;
  readonly #mute: FoldOptions;
  /** How many records of each topic came to what. */
  readonly #counts = new Map<FactTopic, Map<EventOutcome, number>>();
  /** Deadlines that a sweep has applied. */
  readonly #dueAts: Instant[] = [];
  #outputs = 0;
  records = 0;
  swept = 0;

  constructor(seq: number, openedAt: number, offsets: Offsets, context: BatchContext) {
    this.seq = seq;
    this.openedAt = openedAt;
    this.#offsets = { ...offsets };
    this.#context = context;
    this.#loud = { policy: context.policy, quiet: false, forget: true };
    this.#mute = { policy: context.policy, quiet: true, forget: true };
  }

  get offsets(): Offsets {
    return this.#offsets;
  }

  get isEmpty(): boolean {
    return this.records === 0 && this.#touched.size === 0;
  }

  /** What it publishes so far: changes, referrals and dead letters. */
  get outputs(): number {
    return this.#outputs;
  }

  /** True when another step could exceed what one transaction should carry. */
  get isFull(): boolean {
    return this.#outputs > OUTPUTS_PER_BATCH / 4;
  }

  get touched(): ReadonlyMap<string, Customer> {
    return this.#touched;
  }

  /** Folds one record. The customer it names must be in the cache. */
  fold(merged: MergedRecord, clock: ShardClock | null): void {
    const { record, decoded } = merged;
    this.records++;
    this.#offsets[record.topic] = record.offset + 1;
    if (decoded.kind === "dead_letter") {
      this.#refuse({ record, reason: decoded.reason, message: decoded.detail });
      return;
    }
    const event = decoded.event;
    if (event.topic !== "referrals") {
      const arrivedAt = record.arrivedAt ?? (record.file === undefined ? this.#context.now() : null);
      if (arrivedAt !== null && event.occurredAt > arrivedAt + FUTURE_TOLERANCE_MS) {
        const message = `occurredAt is ${new Date(event.occurredAt).toISOString()}, more than 10 minutes after its arrival at ${new Date(arrivedAt).toISOString()}`;
        this.#refuse({ record, reason: "future_event", message });
        return;
      }
    }
    const customer = this.#customer(event.customerId);
    const silent = this.#isHistory(record.topic, record.offset);
    const outcome = foldEvent(
      customer,
      event,
      throughFor(clock, event.customerId),
      this.#context.quiet || silent ? this.#mute : this.#loud,
    );
    switch (outcome.kind) {
      case "dead_letter":
        this.#refuse({ record, reason: outcome.reason, message: outcome.detail });
        return;
      case "skip":
        this.#count(record.topic, outcome.reason);
        if (outcome.reason === "superseded") this.#touch(customer);
        return;
      case "folded":
        this.#count(record.topic, "folded");
        this.#touch(customer);
        this.#publish(customer, outcome.outputs, silent);
        if (!this.#context.quiet) {
          for (const referral of outcome.referrals) {
            this.#referrals.push({ ...referral, version: this.#nextSeq() });
          }
        }
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
    this.#publish(customer, outputs, silent);
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
    this.#publish(customer, outputs, silent);
  }

  output(): BatchOutput<unknown, unknown> {
    for (const customerId of this.#unannounced) {
      if (this.#segments.has(customerId)) continue;
      const segment = this.#segmentOf(customerId);
      this.#segments.set(customerId, segment === null ? null : this.#context.packing.segment(segment));
    }
    this.#unannounced.clear();
    return {
      changes: this.#changes,
      segments: Array.from(this.#segments, ([customerId, segment]) => ({ customerId, segment })),
      referrals: this.#referrals,
      deadLetters: this.#deadLetters,
    };
  }

  /** Encodes what was touched. Call it once, before the next batch folds on. */
  writes(): CustomerWrite[] {
    const { codec, policy, cache } = this.#context;
    const writes: CustomerWrite[] = [];
    for (const [customerId, customer] of this.#touched) {
      if (customer.isEmpty) {
        // Until the commit is done the store would give back what the customer was.
        cache.replace(newCustomer(customerId), this.seq);
        writes.push({ customerId, head: null, chunks: [], deadlineAt: null });
        continue;
      }
      const { head, chunks } = codec.encode(customer);
      writes.push({ customerId, head, chunks, deadlineAt: nextDeadline(customer, policy) });
    }
    return writes;
  }

  /** Tells the operators what the batch came to. Call it once it is committed: one that is given up is folded again. */
  report(committedAt: Instant): void {
    const { telemetry, quiet } = this.#context;
    if (quiet) return;
    for (const [topic, outcomes] of this.#counts) {
      for (const [outcome, count] of outcomes) telemetry.events(topic, outcome, count);
    }
    for (const change of this.#told) telemetry.change(change);
    for (const { reason } of this.#deadLetters) telemetry.deadLetter(reason);
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
    const customer = this.#context.cache.peek(customerId);
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
    if (this.#context.quiet) return;
    this.#outputs++;
    this.#deadLetters.push(deadLetter);
  }

  #publish(customer: Customer, outputs: readonly FoldOutput[], silent: boolean): void {
    if (this.#context.quiet) return;
    const customerId = customer.state.customerId;
    if (silent) {
      this.#unannounced.add(customerId);
      this.#segments.delete(customerId);
      return;
    }
    for (const draft of outputs) {
      if (draft === null) {
        this.#nextSeq();
        this.#changes.push({ customerId, change: null });
        this.#segments.set(customerId, null);
        continue;
      }
      const change = this.#change(draft);
      const { packing } = this.#context;
      this.#changes.push({ customerId, change: packing.change(change) });
      const segment: CustomerSegment = {
        customerId,
        asOf: change.effectiveAt,
        classification: change.current,
        facts: change.facts,
        next: change.next,
        seq: change.seq,
        policy: change.policy,
      };
      this.#segments.set(customerId, packing.segment(segment));
      this.#told.push({ changed: change.changed, cause: change.cause, origin: change.origin });
    }
  }

  #change(draft: ChangeDraft): SegmentChange {
    const now = this.#context.now();
    return changeOf(draft, this.#nextSeq(), now, this.#origin(draft, now), this.#context.policy);
  }

  #origin(draft: ChangeDraft, now: Instant): Origin {
    const { policy } = this.#context;
    if (draft.cause.kind === "POLICY") return "POLICY";
    return now - draft.effectiveAt > policy.liveWithinMs ? "HISTORY" : "LIVE";
  }

  /** The segment of a customer whose history was folded in silence; null when nothing is left of it. */
  #segmentOf(customerId: string): CustomerSegment | null {
    const customer = this.#touched.get(customerId);
    const asOf = customer?.state.evaluatedAt ?? null;
    if (customer === undefined || asOf === null) return null;
    const { policy } = this.#context;
    const segment = segmentAt(customer, asOf, policy);
    if (segment === null) return null;
    return {
      customerId,
      asOf,
      ...segment,
      seq: this.#nextSeq(),
      policy: { version: policy.version, hash: policy.hash },
    };
  }

  #isHistory(topic: FactTopic, offset: number): boolean {
    const silent = this.#context.silent;
    return silent !== null && offset < (silent.offsets[topic] ?? 0);
  }

  #nextSeq(): number {
    if (this.#outputs >= OUTPUTS_PER_BATCH) throw new Error(`batch ${this.seq} has more outputs than it may`);
    return this.seq * OUTPUTS_PER_BATCH + this.#outputs++;
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
