import type { PublishedChange } from "../chronicle.ts";
import { countText, dateText, daysBetween } from "../human-text.ts";
import { stepOf, type StoryKind } from "./story.ts";

/** "Why did C-1077 lapse with no event at all?": the deadline was known since the last purchase (S4.1). */
export const silenceStory: StoryKind = {
  name: "silence",
  absence: "Nobody lapsed by silence alone in this run. Try more days.",
  fit(changes) {
    const lapse = lapseOf(changes);
    if (lapse === undefined || changes.at(-1)?.change.current.status !== "INACTIVE") return 0;
    const lapses = changes.filter(({ change: { current, previous } }) => {
      return current.status === "INACTIVE" && previous?.status === "ACTIVE";
    });
    // Whoever bought often lapses by its own rhythm; a single lapse is easier to follow than several.
    return 1 + Math.min(lapse.change.facts.occasionsEver, 20) / lapses.length;
  },
  tell(protagonist) {
    const { transitions } = protagonist;
    const index = transitions.findLastIndex(
      ({ current, cause }) => current.status === "INACTIVE" && cause.ref === "lapse",
    );
    const lapse = transitions[index];
    const explanation = lapse === undefined ? null : protagonist.explainAt(lapse.at);
    const now = protagonist.explainAt(protagonist.now);
    if (lapse === undefined || explanation === null || now?.classification.status !== "INACTIVE") return null;
    const { lastOccasionAt, occasionsEver } = explanation.facts;
    if (lastOccasionAt === null) return null;
    const silentDays = daysBetween(lastOccasionAt, lapse.at);
    const rhythm =
      occasionsEver < 3
        ? `After ${countText(occasionsEver, "shopping day")} no rhythm is known: it may stay silent for ${silentDays} days.`
        : `After ${occasionsEver} shopping days its own rhythm is known: about twice its usual gap, here ${silentDays} days, it may stay silent.`;
    return {
      customerId: protagonist.customerId,
      title: `Why did ${protagonist.customerId} lapse with no event at all?`,
      steps: transitions.slice(Math.max(0, index - 3), index + 1).map(stepOf(protagonist)),
      remarks: [
        rhythm,
        `Its last purchase was on ${dateText(lastOccasionAt)}. From that moment ${dateText(lapse.at)} was known as the day it lapses unless it buys again.`,
        "No record set it off. The deadline fired by itself, to the millisecond, without a nightly job.",
      ],
      rules: { heading: `Rule of its status on ${dateText(lapse.at)}`, checks: explanation.status },
      today: now,
      advice: "A purchase on any day brings it back to ACTIVE at once.",
    };
  },
};

function lapseOf(changes: readonly PublishedChange[]): PublishedChange | undefined {
  return changes.findLast(
    ({ change: { cause, current, previous } }) =>
      cause.kind === "DEADLINE" &&
      cause.ref === "lapse" &&
      current.status === "INACTIVE" &&
      previous !== null,
  );
}
