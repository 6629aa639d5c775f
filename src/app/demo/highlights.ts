import type { SegmentChange } from "../../domain/change.ts";
import type { SimulatedEvent } from "../simulation/simulate.ts";
import { STAGES } from "../../domain/classification.ts";

/** What became of a change on the screen. */
export interface Candidate {
  readonly customerId: string;
  /** null: the customer was erased. */
  readonly change: SegmentChange | null;
  /** Simulated instant by which it was published. */
  readonly noticedAt: number;
  /** The fact that came late and brought it about; null: none did. */
  readonly lateFact: SimulatedEvent | null;
}

/** Most lines that are saved up in quiet weeks for a busy one. */
const GREATEST_CREDIT = 4;

/**
 * Chooses what a person is shown of a week. Lines are rationed, the rest is counted: `hidden` says how many and of what cause,
 * so that nothing is passed over in silence.
 */
export class Highlights {
  readonly #linesPerWeek: number;
  /** Times that a change of each shape was shown; there are few shapes. */
  readonly #seen = new Map<string, number>();
  #credit = 0;
  #hidden = { event: 0, time: 0, late: 0 };

  constructor(linesPerWeek: number) {
    this.#linesPerWeek = linesPerWeek;
  }

  /** The ones to show of a stretch of so many weeks, in the order given. */
  choose(week: readonly Candidate[], weeks: number): readonly Candidate[] {
    this.#credit = Math.min(this.#credit + this.#linesPerWeek * weeks, GREATEST_CREDIT);
    const room = Math.floor(this.#credit);
    const ranked = week.map((candidate, index) => ({ candidate, index, weight: this.#worthOf(candidate) }));
    ranked.sort((a, b) => b.weight - a.weight || a.index - b.index);
    const shown = new Set(ranked.slice(0, room).map(({ index }) => index));
    this.#credit -= shown.size;
    for (const { candidate } of ranked.slice(0, room)) {
      const shape = shapeOf(candidate);
      this.#seen.set(shape, (this.#seen.get(shape) ?? 0) + 1);
    }
    for (const { candidate } of ranked.slice(room)) this.#hidden[causeOf(candidate)]++;
    return week.filter((_, index) => shown.has(index));
  }

  /** What is seen often loses its worth: after four of a shape the next one is worth half. */
  #worthOf(candidate: Candidate): number {
    return weightOf(candidate) / (1 + (this.#seen.get(shapeOf(candidate)) ?? 0) / 4);
  }

  /** What was not shown since the last time this was asked. */
  takeHidden(): Readonly<Record<"event" | "time" | "late", number>> {
    const hidden = this.#hidden;
    this.#hidden = { event: 0, time: 0, late: 0 };
    return hidden;
  }
}

function causeOf({ change }: Candidate): "event" | "time" | "late" {
  if (change?.cause.kind === "LATE") return "late";
  return change?.cause.kind === "DEADLINE" ? "time" : "event";
}

/** Changes that read alike. */
function shapeOf({ change }: Candidate): string {
  if (change === null) return "erased";
  const { previous, current, cause } = change;
  const isMove = previous?.status !== current.status || previous.stage !== current.stage;
  const from = previous === null ? "" : `${previous.status} ${previous.stage}`;
  return isMove ? `${cause.kind} ${from} ${current.status} ${current.stage}` : cause.kind;
}

/** How much a reader learns from a change: rare and weighty ones first. */
function weightOf({ change }: Candidate): number {
  if (change === null) return 20;
  const { previous, current, cause } = change;
  const isStatus = previous !== null && previous.status !== current.status;
  let weight = 0;
  if (cause.kind === "LATE") weight += isStatus ? 15 : 6;
  if (cause.ref === "overdue") weight += 12;
  if (cause.kind === "DEADLINE") weight += 2;
  if (previous === null) return weight + 2;
  if (previous.stage !== current.stage) {
    const top = Math.max(STAGES.indexOf(previous.stage), STAGES.indexOf(current.stage));
    weight += top >= STAGES.indexOf("PATRON") ? 9 : top >= STAGES.indexOf("ACCOUNT") ? 6 : 3;
  }
  if (isStatus) weight += current.status === "INACTIVE" ? 5 : 6;
  if (current.attention === "DIVEST" && previous.attention !== "DIVEST") weight += 9;
  if (current.tags.includes("SEASONAL") && !previous.tags.includes("SEASONAL")) weight += 8;
  return weight + 1;
}
