import { instant, type Instant } from "../../../shared/instant.ts";
import { countText, dateText, daysBetween, monthName } from "../human-text.ts";
import { stepOf, type Protagonist, type Step, type StoryKind } from "./story.ts";

/** Silence is most telling when half a year has passed since a winter season. */
const ASKED_MONTH = 5;

/** "Why is a Christmas customer still ACTIVE in June?": it is waited for until its next season is over (S4.5). */
export const seasonStory: StoryKind = {
  name: "season",
  absence:
    "Nobody bought by season over two years in this run, which is what it takes to know. Try more days.",
  fit(changes) {
    const last = changes.at(-1)?.change;
    if (last?.current.status !== "ACTIVE" || !last.current.tags.includes("SEASONAL")) return 0;
    const { firstOccasionAt, lastOccasionAt, occasionsEver } = last.facts;
    if (firstOccasionAt === null || lastOccasionAt === null) return 0;
    return 1 + Math.min(occasionsEver, 20);
  },
  tell(protagonist) {
    const at = askedAt(protagonist.now);
    const explanation = protagonist.explainAt(at);
    const now = protagonist.explainAt(protagonist.now);
    if (explanation === null || now === null) return null;
    const { facts, classification } = explanation;
    const { lastOccasionAt, lapseAt } = facts;
    if (
      !facts.seasonal ||
      classification.status !== "ACTIVE" ||
      lastOccasionAt === null ||
      lapseAt === null
    ) {
      return null;
    }
    const silentDays = daysBetween(lastOccasionAt, at);
    return {
      customerId: protagonist.customerId,
      title: `Seasonal: why is ${protagonist.customerId} still ACTIVE in ${monthName(at)}?`,
      steps: statusSteps(protagonist, at),
      remarks: [
        `On ${dateText(at)} it had bought nothing for ${silentDays} days, since ${dateText(lastOccasionAt)}.`,
        `But at least seven of ten of its ${countText(facts.occasionsEver, "shopping day")} lie in the same three months, in more than one year: it buys by season.`,
        `So it is waited for until 30 days after its next season: it lapses on ${dateText(lapseAt)} unless it buys.`,
      ],
      rules: { heading: `Rule of its status on ${dateText(at)}`, checks: explanation.status },
      today: now,
      advice: "Writing to it in June would be too early; its season opens the door.".replace(
        "June",
        monthName(at),
      ),
    };
  },
};

/** The 15th of the last June of the run, or, where there was none lately, today. */
function askedAt(now: Instant): Instant {
  const year = new Date(now).getUTCFullYear();
  const candidates = [Date.UTC(year, ASKED_MONTH, 15, 12), Date.UTC(year - 1, ASKED_MONTH, 15, 12)];
  return instant(candidates.find((at) => at <= now && daysBetween(at, now) < 180) ?? now);
}

function statusSteps(protagonist: Protagonist, at: Instant): Step[] {
  return protagonist.transitions
    .filter(
      (transition) =>
        transition.at <= at &&
        (transition.previous?.status !== transition.current.status ||
          transition.previous.stage !== transition.current.stage ||
          transition.previous.tags.includes("SEASONAL") !== transition.current.tags.includes("SEASONAL")),
    )
    .slice(-5)
    .map(stepOf(protagonist));
}
