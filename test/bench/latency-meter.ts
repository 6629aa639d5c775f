import { decodeChange } from "../../src/adapters/avro/encoder.ts";
import { registryOf, type Servers } from "../../src/app/compose-kafka.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import { dueAt, numberOf } from "./load-source.ts";
import type { ChangeRecord } from "./published.ts";

/** A change that became visible to a subscriber, still encoded. */
interface Seen {
  readonly value: Buffer;
  readonly at: number;
}

/** From when an event was due until a subscriber had the change that it caused, ms. */
export interface Latency {
  /** ms since the epoch. */
  readonly dueAt: number;
  readonly latencyMs: number;
}

/** What the load of the changes was: when each of its events was due follows from this. */
export interface MeteredLoad {
  readonly seed: number;
  readonly begunAt: number;
  readonly eventsPerSecond: number;
}

/** Notes when changes become visible; which event each came from is looked up afterwards, so that noting costs next to nothing. */
export class LatencyMeter {
  readonly #seen: Seen[] = [];

  note(records: readonly ChangeRecord[]): void {
    const at = Date.now();
    for (const { value } of records) {
      // A copy: the value is a part of all that was fetched with it.
      if (value !== null) this.#seen.push({ value: Buffer.from(value), at });
    }
  }

  /**
   * Latencies of all changes that events of the load caused, and how many other changes there were: of deadlines, and of events of
   * another load. Counts from when an event was due: a sender that had to wait hides nothing.
   */
  async latencies(
    servers: Servers,
    load: MeteredLoad,
  ): Promise<{ readonly latencies: Latency[]; readonly others: number }> {
    const registry = registryOf(servers);
    const latencies: Latency[] = [];
    let others = 0;
    for (const { value, at } of this.#seen) {
      const due = dueOf(await decodeChange(registry, value), load);
      if (due === null) others++;
      else latencies.push({ dueAt: due, latencyMs: at - due });
    }
    return { latencies, others };
  }
}

/** When the event that caused a change was due, ms since the epoch; null: no event of the load did. */
export function dueOf(
  { cause: { ref } }: Pick<SegmentChange, "cause">,
  { seed, begunAt, eventsPerSecond }: MeteredLoad,
): number | null {
  if (ref === null || typeof ref === "string") return null;
  const i = numberOf(ref.eventId, seed);
  return i === null ? null : dueAt(begunAt, eventsPerSecond, i);
}

/** Those of events due in [from, to). */
export function dueWithin(latencies: readonly Latency[], from: number, to: number): number[] {
  return latencies.filter(({ dueAt: at }) => at >= from && at < to).map(({ latencyMs }) => latencyMs);
}
