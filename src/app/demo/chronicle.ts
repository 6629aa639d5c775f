import type { SegmentChange } from "../../domain/change.ts";
import type { Classification } from "../../domain/classification.ts";
import type { BatchOutput } from "../../pipeline/ports.ts";
import type { SimulatedEvent } from "../simulation/simulate.ts";
import { causeWord, type CauseWord } from "./change-line.ts";
import type { Candidate } from "./highlights.ts";

/** A change as it was published, with the simulated instant by which it was. */
export interface PublishedChange {
  readonly change: SegmentChange;
  readonly noticedAt: number;
  /** The fact that came late and brought it about; null: none did. */
  readonly lateFact: SimulatedEvent | null;
}

/** Changes of more customers are counted, but not kept: stories are looked for among the first ones. */
export const STORY_CUSTOMERS = 1000;

/** What came out of the engine: who stands where, how many changes of which cause, and whose changes make a story. */
export class Chronicle {
  readonly standings = new Map<string, Classification>();
  readonly byCause: Record<CauseWord, number> = { event: 0, time: 0, late: 0 };
  /** By customer, in the order published. */
  readonly published = new Map<string, PublishedChange[]>();
  readonly erased = new Set<string>();
  deadLetters = 0;
  #fresh: { readonly customerId: string; readonly change: SegmentChange | null }[] = [];

  record(output: BatchOutput): void {
    this.deadLetters += output.deadLetters.length;
    this.#fresh.push(...output.changes);
  }

  /**
   * Takes what was published since the last time. Shards commit on their own, so it is put in an order that does not depend on
   * which came first: of the effect, then of the customer.
   * @param lateFact the late fact that was the last to arrive, where it was sent alone
   */
  take(noticedAt: number, lateFact: SimulatedEvent | null): readonly Candidate[] {
    const fresh = this.#fresh.map(({ customerId, change }, index) => ({ customerId, change, index }));
    this.#fresh = [];
    const at = (change: SegmentChange | null): number =>
      change === null || lateFact !== null || change.cause.kind === "LATE" ? noticedAt : change.effectiveAt;
    fresh.sort(
      (a, b) => at(a.change) - at(b.change) || compareIds(a.customerId, b.customerId) || a.index - b.index,
    );
    for (const { customerId, change } of fresh) this.#enter(customerId, change, noticedAt, lateFact);
    return fresh.map(({ customerId, change }) => ({
      customerId,
      change,
      noticedAt,
      lateFact,
    }));
  }

  get changes(): number {
    return this.byCause.event + this.byCause.time + this.byCause.late;
  }

  #enter(
    customerId: string,
    change: SegmentChange | null,
    noticedAt: number,
    lateFact: SimulatedEvent | null,
  ): void {
    if (change === null) {
      this.standings.delete(customerId);
      this.published.delete(customerId);
      this.erased.add(customerId);
      return;
    }
    this.standings.set(customerId, change.current);
    this.byCause[causeWord(change)]++;
    let changes = this.published.get(customerId);
    if (changes === undefined) {
      if (this.published.size >= STORY_CUSTOMERS) return;
      changes = [];
      this.published.set(customerId, changes);
    }
    changes.push({ change, noticedAt, lateFact });
  }
}

function compareIds(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
