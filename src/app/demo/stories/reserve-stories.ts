import { countText, dateText, daysBetween, moneyText } from "../human-text.ts";
import { stepOf, type StoryKind } from "./story.ts";

/** "Who came back": a purchase ends an absence at once. Told where one of the five has nobody. */
export const returnStory: StoryKind = {
  name: "return",
  absence: "Nobody who lapsed came back in this run.",
  fit(changes) {
    return changes.some(
      ({ change: { previous, current, cause } }) =>
        cause.kind === "EVENT" && previous?.status === "INACTIVE" && current.status === "ACTIVE",
    )
      ? 1
      : 0;
  },
  tell(protagonist) {
    const { transitions } = protagonist;
    const index = transitions.findLastIndex(
      ({ previous, current }) => previous?.status === "INACTIVE" && current.status === "ACTIVE",
    );
    const back = transitions[index];
    const lapse = transitions
      .slice(0, Math.max(index, 0))
      .findLast(({ current, previous }) => current.status === "INACTIVE" && previous?.status === "ACTIVE");
    const now = protagonist.explainAt(protagonist.now);
    if (back === undefined || lapse === undefined || now === null) return null;
    return {
      customerId: protagonist.customerId,
      title: `How ${protagonist.customerId} came back`,
      steps: transitions.slice(Math.max(0, index - 2), index + 3).map(stepOf(protagonist)),
      remarks: [
        `It was INACTIVE for ${countText(daysBetween(lapse.at, back.at), "day")}. One purchase made it ACTIVE in the same instant; the higher rungs have to be earned anew.`,
      ],
      rules: {
        heading: `Rule of its status on ${dateText(back.at)}`,
        checks: protagonist.explainAt(back.at)?.status ?? [],
      },
      today: now,
      advice: now.lever === null ? null : `What to do with it: ${now.lever}.`,
    };
  },
};

/** "Who costs more than it brings": told where one of the five has nobody. */
export const lossStory: StoryKind = {
  name: "loss",
  absence: "Nobody cost more than it brought in this run.",
  fit(changes) {
    const last = changes.at(-1)?.change.current.attention;
    if (last === "DIVEST") return 2;
    return last === "REVIEW" ? 1 : 0;
  },
  tell(protagonist) {
    const now = protagonist.explainAt(protagonist.now);
    if (now === null || now.facts.profitMinor >= 0) return null;
    const { attention } = now.classification;
    const { currency } = protagonist;
    return {
      customerId: protagonist.customerId,
      title: `Why is ${protagonist.customerId} marked ${attention}?`,
      steps: protagonist.transitions
        .filter(({ previous, current }) => previous?.attention !== current.attention)
        .slice(-4)
        .map(stepOf(protagonist)),
      remarks: [
        `In a year it brought ${moneyText(now.facts.revenueMinor, currency)} and cost ${moneyText(now.facts.costMinor, currency)}.`,
        "The mark is a signal to people, never an order to stop serving somebody.",
      ],
      rules: { heading: "Rules of its attention today", checks: now.attention },
      today: now,
      advice: null,
    };
  },
};
