import type { CauseKind, Origin } from "../domain/change.ts";
import type { Axis } from "../domain/classification.ts";
import type { DeadLetterReason, FactTopic, SkipReason } from "../domain/events.ts";

/** How a shard was taken over (A4). */
export type AcquiredPath = "fresh" | "current" | "gap" | "rebuild";
export type ShardPhase = "acquiring" | "recovering" | "running" | "waiting" | "stopped" | "released";

/** What a record came to. */
export type EventOutcome = "folded" | "dead_letter" | SkipReason;

/** What the pipeline tells its operators; never throws, never waits. Durations in seconds. */
export interface Telemetry {
  events(topic: FactTopic, outcome: EventOutcome, count: number): void;
  lag(shard: number, topic: FactTopic, records: number): void;
  /** How long after its instant what a deadline came to was committed. */
  deadlineLateness(seconds: number): void;
  /** Changes of an axis that had such a cause. */
  changes(axis: Axis, cause: CauseKind, origin: Origin, count: number): void;
  deadLetter(reason: DeadLetterReason): void;
  commit(step: "transaction" | "script" | "total", seconds: number): void;
  batch(records: number): void;
  shard(shard: number, phase: ShardPhase): void;
  acquired(seconds: number, path: AcquiredPath): void;
  /** Records folded again in silence. */
  refolded(records: number): void;
  sweep(customers: number): void;
  cache(hits: number, misses: number): void;
}

const ignore = (): void => undefined;

/** Tells nobody. */
export const SILENT_TELEMETRY: Telemetry = {
  events: ignore,
  lag: ignore,
  deadlineLateness: ignore,
  changes: ignore,
  deadLetter: ignore,
  commit: ignore,
  batch: ignore,
  shard: ignore,
  acquired: ignore,
  refolded: ignore,
  sweep: ignore,
  cache: ignore,
};
