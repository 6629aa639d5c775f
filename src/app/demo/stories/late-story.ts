import type { PublishedChange } from "../chronicle.ts";
import type { Instant } from "../../../shared/instant.ts";
import { lateText } from "../change-line.ts";
import { dateText } from "../human-text.ts";
import { publishedStep, type Protagonist, type Story, type StoryKind } from "./story.ts";

interface Correction {
  /** What had been said too soon. */
  readonly wrong: PublishedChange;
  readonly right: PublishedChange;
}

/** "What a late fact corrected": what was told too soon, and the change that takes it back and names it (S7.2). */
export const lateStory: StoryKind = {
  name: "late",
  absence:
    "Every fact of this run that came late changed nothing that had been told before. Try another seed.",
  fit(changes) {
    const correction = correctionOf(changes);
    if (correction === undefined) return 0;
    return clarityOf(correction);
  },
  tell(protagonist) {
    const correction = correctionOf(protagonist.published);
    const now = protagonist.explainAt(protagonist.now);
    if (correction === undefined || now === null) return null;
    return tellCorrection(protagonist, correction, now);
  },
};

function tellCorrection(
  protagonist: Protagonist,
  { wrong, right }: Correction,
  today: Story["today"],
): Story {
  const noticed = dateText(right.noticedAt);
  const fact =
    right.lateFact === null ? null : lateText(right.lateFact, right.noticedAt, protagonist.currency);
  const remarks = [
    fact === null
      ? `On ${noticed} a fact came that had happened before things already told.`
      : `On ${noticed} a fact came in: ${fact}. By then the other change had been told.`,
    "The customer's history was folded again in the order in which things happened, and one change went out that names the one it corrects.",
  ];
  const { effectiveAt: wrongAt } = wrong.change;
  const isDeadline = wrong.change.cause.kind === "DEADLINE";
  if (
    isDeadline &&
    !protagonist.transitions.some(({ at, cause: { kind } }) => at === wrongAt && kind === "DEADLINE")
  ) {
    remarks.push(`In its timeline, told afresh, the change of ${dateText(wrongAt)} never happened.`);
  }
  return {
    customerId: protagonist.customerId,
    title: `What a late fact corrected for ${protagonist.customerId}`,
    steps: [wrong, right].map(publishedStep(protagonist)),
    remarks,
    rules: right.change.changed.includes("status") ? statusRule(protagonist, wrongAt) : null,
    today,
    advice: null,
  };
}

function statusRule(protagonist: Protagonist, at: Instant): Story["rules"] {
  return {
    heading: `Rule of its status on ${dateText(at)}, as known today`,
    checks: protagonist.explainAt(at)?.status ?? [],
  };
}

/** The clearest late change that took back what it names. */
function correctionOf(changes: readonly PublishedChange[]): Correction | undefined {
  const corrections = changes.flatMap((right): Correction[] => {
    const { cause, supersedes, previous, current } = right.change;
    if (cause.kind !== "LATE" || supersedes === null || previous === null) return [];
    const wrong = changes.find(({ change }) => change.changeId === supersedes);
    if (wrong === undefined) return [];
    const isWeighty = previous.status !== current.status || previous.stage !== current.stage;
    return isWeighty ? [{ wrong, right }] : [];
  });
  return corrections.toSorted((a, b) => clarityOf(b) - clarityOf(a))[0];
}

/** A lapse that never was, taken back by the purchase that had not been heard of, says it all. */
function clarityOf({ wrong, right }: Correction): number {
  const isLapse = wrong.change.cause.ref === "lapse" && right.change.current.status === "ACTIVE";
  return (
    1 +
    (right.lateFact !== null ? 1 : 0) +
    (right.lateFact?.eventId === refOf(right) ? 1 : 0) +
    (isLapse ? 2 : 0)
  );
}

function refOf({ change: { cause } }: PublishedChange): string | null {
  return typeof cause.ref === "object" && cause.ref !== null ? cause.ref.eventId : null;
}
