import type { CauseKind, ChangeDraft, CustomerSegment, Origin, SegmentChange } from "../domain/change.ts";
import type { Axis } from "../domain/classification.ts";
import type { Customer } from "../domain/customer.ts";
import { changeOf } from "../domain/draft.ts";
import { segmentAt } from "../domain/explain.ts";
import type { FoldOutput, ReferralUpdate } from "../domain/fold-api.ts";
import type { Instant } from "../shared/instant.ts";
import type { BatchContext } from "./batch-context.ts";
import type { BatchOutput, DeadLetter } from "./ports.ts";
import type { Telemetry } from "./telemetry.ts";

/** A batch has fewer outputs than this, so that `seq` = batch seq · 2²⁰ + index stays ascending (A4). */
export const OUTPUTS_PER_BATCH = 2 ** 20;

interface Told {
  readonly axis: Axis;
  readonly cause: CauseKind;
  readonly origin: Origin;
  count: number;
}

/** What one batch publishes: of each customer all changes in order, and the segment that the last of them leads to. */
export class BatchOutputs {
  readonly #batchSeq: number;
  readonly #context: BatchContext;
  /** As the log packed them; so are the segments. */
  readonly #changes: { customerId: string; change: unknown }[] = [];
  readonly #segments = new Map<string, unknown>();
  /** Of the customer who changed last: changes of one customer come one after another, and only the last has a segment. */
  #segment: CustomerSegment | null = null;
  /** What the operators are told: how many changes of an axis, by cause and origin. */
  readonly #told = new Map<string, Told>();
  /** Folded in a silent history: their segment is made when the batch is sealed. */
  readonly #unannounced = new Set<string>();
  readonly #referrals: (ReferralUpdate & { version: number })[] = [];
  readonly #deadLetters: DeadLetter[] = [];
  /** Changes, referrals and dead letters so far. */
  count = 0;

  constructor(batchSeq: number, context: BatchContext) {
    this.#batchSeq = batchSeq;
    this.#context = context;
  }

  refuse(deadLetter: DeadLetter): void {
    if (this.#context.quiet) return;
    this.count++;
    this.#deadLetters.push(deadLetter);
  }

  refer(referrals: readonly ReferralUpdate[]): void {
    if (this.#context.quiet) return;
    for (const referral of referrals) this.#referrals.push({ ...referral, version: this.#nextSeq() });
  }

  publish(customerId: string, outputs: readonly FoldOutput[], silent: boolean): void {
    const { packing, quiet } = this.#context;
    if (quiet) return;
    if (silent) {
      this.#unannounced.add(customerId);
      this.#drop(customerId);
      return;
    }
    for (const draft of outputs) {
      if (draft === null) {
        this.#nextSeq();
        this.#drop(customerId);
        this.#changes.push({ customerId, change: null });
        this.#segments.set(customerId, null);
        continue;
      }
      const change = this.#change(draft);
      this.#changes.push({ customerId, change: packing.change(change) });
      if (this.#segment?.customerId !== customerId) this.#packSegment();
      this.#segment = {
        customerId,
        asOf: change.effectiveAt,
        classification: change.current,
        facts: change.facts,
        next: change.next,
        seq: change.seq,
        policy: change.policy,
      };
      this.#tell(change);
    }
  }

  /** `customers`: all that were touched. */
  packed(customers: ReadonlyMap<string, Customer>): BatchOutput<unknown, unknown> {
    this.#packSegment();
    for (const customerId of this.#unannounced) {
      if (this.#segments.has(customerId)) continue;
      const segment = this.#segmentOf(customers.get(customerId));
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

  report(telemetry: Telemetry): void {
    for (const { axis, cause, origin, count } of this.#told.values()) {
      telemetry.changes(axis, cause, origin, count);
    }
    for (const { reason } of this.#deadLetters) telemetry.deadLetter(reason);
  }

  #tell({ changed, cause: { kind: cause }, origin }: SegmentChange): void {
    for (const axis of changed) {
      const key = `${axis} ${cause} ${origin}`;
      const told = this.#told.get(key);
      if (told === undefined) this.#told.set(key, { axis, cause, origin, count: 1 });
      else told.count++;
    }
  }

  #packSegment(): void {
    const segment = this.#segment;
    if (segment !== null) this.#segments.set(segment.customerId, this.#context.packing.segment(segment));
    this.#segment = null;
  }

  #drop(customerId: string): void {
    this.#segments.delete(customerId);
    if (this.#segment?.customerId === customerId) this.#segment = null;
  }

  #change(draft: ChangeDraft): SegmentChange {
    const now = this.#context.now();
    return changeOf(draft, this.#nextSeq(), now, this.#origin(draft, now), this.#context.policy);
  }

  #origin(draft: ChangeDraft, now: Instant): Origin {
    if (draft.cause.kind === "POLICY") return "POLICY";
    return now - draft.effectiveAt > this.#context.policy.liveWithinMs ? "HISTORY" : "LIVE";
  }

  /** The segment of a customer whose history was folded in silence; null when nothing is left of it. */
  #segmentOf(customer: Customer | undefined): CustomerSegment | null {
    const asOf = customer?.state.evaluatedAt ?? null;
    if (customer === undefined || asOf === null) return null;
    const { policy } = this.#context;
    const segment = segmentAt(customer, asOf, policy);
    if (segment === null) return null;
    return {
      customerId: customer.state.customerId,
      asOf,
      ...segment,
      seq: this.#nextSeq(),
      policy: { version: policy.version, hash: policy.hash },
    };
  }

  #nextSeq(): number {
    if (this.count >= OUTPUTS_PER_BATCH)
      throw new Error(`batch ${this.#batchSeq} has more outputs than it may`);
    return this.#batchSeq * OUTPUTS_PER_BATCH + this.count++;
  }
}
