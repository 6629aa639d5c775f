import { stripVTControlCharacters } from "node:util";
import type { EventRef, Reason, SegmentChange } from "../../domain/change.ts";
import { STAGES, type Axis, type Classification, type Status } from "../../domain/classification.ts";
import type { SimulatedEvent } from "../simulation/simulate.ts";
import { causeText, eventText } from "./cause-text.ts";
import { countText, dateText, daysBetween } from "./human-text.ts";
import type { Palette } from "./palette.ts";
import { ruleText } from "./rule-text.ts";

/** What set a change off, for people: a record that came, time alone, or a record that came late. */
export type CauseWord = "event" | "time" | "late";

export function causeWord({ cause }: Pick<SegmentChange, "cause">): CauseWord {
  if (cause.kind === "LATE") return "late";
  return cause.kind === "DEADLINE" ? "time" : "event";
}

/** Room for what changed, before the reasons begin; on a narrow terminal they begin at once. */
const WHAT_WIDTH = 34;
const ROOMY_COLUMNS = 110;

/**
 * A change in one line: day, what set it off, customer, what changed, why.
 * @param noticedAt the day of a change that a late fact brought about; the others carry the day they took effect
 * @param columns longer lines are cut; Infinity: none is
 */
export function changeLine(
  change: SegmentChange,
  options: {
    readonly noticedAt: number;
    readonly lateFact: SimulatedEvent | null;
    readonly tell: (ref: EventRef) => string | null;
    readonly currency: string;
    readonly columns: number;
    readonly palette: Palette;
  },
): string {
  const { palette, columns, currency } = options;
  const word = causeWord(change);
  const isLateFact = options.lateFact !== null || word === "late";
  const day = dateText(isLateFact ? options.noticedAt : change.effectiveAt);
  const what = differenceText(change.previous, change.current, palette);
  const width = columns < ROOMY_COLUMNS ? 0 : WHAT_WIDTH;
  const padding = " ".repeat(Math.max(1, width - stripVTControlCharacters(what).length));
  const head = `${day}  ${palette.cause[word](word.padEnd(5))}  ${palette.customer(change.customerId.padEnd(6))}  ${what}${padding} `;
  const cause =
    word !== "time" && options.lateFact !== null
      ? lateText(options.lateFact, options.noticedAt, currency)
      : causeText(change.cause, options.tell);
  const reasons = decidingReasons(change).map((reason) => ruleText(reason, { currency }));
  const isToldTwice = reasons.some((reason) => reason.startsWith(cause));
  const texts = isToldTwice ? reasons : [cause, ...reasons];
  const why = cut(texts.join("; "), columns - stripVTControlCharacters(head).length);
  return `${head}${palette.quiet(why)}`;
}

/** A late fact, and how late it came. */
export function lateText(fact: SimulatedEvent, noticedAt: number, currency: string): string {
  const days = countText(daysBetween(fact.occurredAt, noticedAt + 1), "day");
  return `${eventText(fact, currency)} of ${dateText(fact.occurredAt)}, told ${days} late`;
}

/** The line for a customer that was erased (S2.5). */
export function erasureLine(customerId: string, at: number, palette: Palette): string {
  const what = "everything forgotten".padEnd(WHAT_WIDTH);
  const head = `${dateText(at)}  ${palette.cause.event("event")}  ${palette.customer(customerId.padEnd(6))}  ${palette.notable(what)} `;
  return `${head}${palette.quiet("asked to be erased; subscribers get a tombstone")}`;
}

function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  return width < 2 ? "" : `${text.slice(0, width - 1)}…`;
}

/** From → to: status and stage where they change, else what is less than a step of these. */
export function differenceText(
  previous: Classification | null,
  current: Classification,
  palette: Palette,
): string {
  const place = ({ status, stage }: Classification): string =>
    stage === "NONE" ? palette.status(status) : `${palette.status(status)} ${palette.stage(stage)}`;
  if (previous === null) return `new: ${place(current)}`;
  const isStatus = previous.status !== current.status;
  if (isStatus && previous.stage !== current.stage) return `${place(previous)} → ${place(current)}`;
  if (isStatus) return `${palette.status(previous.status)} → ${palette.status(current.status)}`;
  if (previous.stage !== current.stage) {
    return `${palette.stage(previous.stage)} → ${palette.stage(current.stage)}`;
  }
  const parts: string[] = [];
  if (previous.attention !== current.attention) {
    const isBad = current.attention === "REVIEW" || current.attention === "DIVEST";
    const to = isBad ? palette.bad(current.attention) : palette.good(current.attention);
    parts.push(`${previous.attention} → ${to}`);
  }
  if (previous.value !== current.value) parts.push(`value ${previous.value} → ${current.value}`);
  const gained = current.tags.filter((tag) => !previous.tags.includes(tag)).map((tag) => `+${tag}`);
  const lost = previous.tags.filter((tag) => !current.tags.includes(tag)).map((tag) => `−${tag}`);
  if (gained.length + lost.length > 0) parts.push([...gained, ...lost].join(" "));
  return parts.join(", ");
}

/** Rules that are nearly always met: they decide nothing that a reader wants to know. */
const PLAIN_RULES: ReadonlySet<string> = new Set(["active", "overdue", "detractor", "profitMinor"]);
const REASONS_SHOWN = 2;

/** The rule that tells most of each status. */
const STATUS_RULES: Readonly<Record<Status, string>> = {
  ACTIVE: "lapse",
  INACTIVE: "lapse",
  POTENTIAL: "interest",
  PROBABLE: "fit",
  UNQUALIFIED: "occasions",
};

/**
 * The reasons that decided, of the weightiest axis that changed. On the way up it is the conditions met most narrowly: those
 * that were lacking just before. On the way down it is the cap, or the condition that was lost.
 */
export function decidingReasons({
  changed,
  previous,
  current,
  reasons,
}: Pick<SegmentChange, "changed" | "previous" | "current" | "reasons">): readonly Reason[] {
  const axis = mainAxis(changed, previous, current);
  const ofAxis = reasons.filter((reason) => reason.axis === axis);
  switch (axis) {
    case "stage": {
      const isUp = STAGES.indexOf(current.stage) > STAGES.indexOf(previous?.stage ?? "NONE");
      if (!isUp) return ofAxis.slice(0, 1);
      const telling = ofAxis.filter((reason) => !isPlain(reason));
      return telling.toSorted((a, b) => narrowness(a) - narrowness(b)).slice(0, REASONS_SHOWN);
    }
    case "attention":
      return current.attention === "DIVEST"
        ? [...ofAxis.slice(0, 1), ...ofAxis.slice(-1)]
        : ofAxis.slice(0, 1);
    case "value":
      return current.value === "NONE" ? ofAxis.slice(-1) : ofAxis.slice(0, 1);
    case "status":
      return ofAxis.filter(({ rule }) => rule === STATUS_RULES[current.status]);
    default:
      return ofAxis.slice(0, REASONS_SHOWN);
  }
}

/** Nearly always met, or said by the new rung itself: it decides nothing that a reader wants to know. */
function isPlain({ rule, observed }: Reason): boolean {
  return PLAIN_RULES.has(rule) || (rule === "occasions730" && observed === 0);
}

/** Status before stage where a customer lapses, comes back, or is not yet one; else stage first. */
function mainAxis(
  changed: readonly Axis[],
  previous: Classification | null,
  current: Classification,
): Axis | undefined {
  const order: readonly Axis[] = ["stage", "status", "attention", "value", "tags"];
  const isLapse = changed.includes("status") && (current.status === "INACTIVE" || current.stage === "NONE");
  if (isLapse) return "status";
  const sorted = order.filter((axis) => changed.includes(axis));
  return previous === null && current.stage === "NONE" ? "status" : sorted[0];
}

/** How far above its threshold a figure is, as a share of it. */
function narrowness({ observed, threshold }: Reason): number {
  if (typeof observed !== "number" || typeof threshold !== "number" || threshold === 0) return 1;
  return Math.abs(observed - threshold) / Math.abs(threshold);
}
