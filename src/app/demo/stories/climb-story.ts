import { STAGES, type Stage } from "../../../domain/classification.ts";
import type { Explanation } from "../../../domain/explain.ts";
import { dateText } from "../human-text.ts";
import { ruleText } from "../rule-text.ts";
import { stepOf, type Protagonist, type StoryKind } from "./story.ts";

const rank = (stage: Stage): number => STAGES.indexOf(stage);

/** "Why is C-1042 a PATRON?": the way up, and every condition that holds today (S6.1). */
export const climbStory: StoryKind = {
  name: "climb",
  absence:
    "Nobody reached ACCOUNT or more in this run: a rung needs half a year of purchases. Try more days.",
  fit(changes) {
    const last = changes.at(-1)?.change.current.stage ?? "NONE";
    if (rank(last) < rank("ACCOUNT")) return 0;
    const rungs = new Set(changes.map(({ change }) => change.current.stage));
    const falls = changes.filter(({ change: { previous, current } }) => {
      return previous !== null && rank(current.stage) < rank(previous.stage);
    });
    // PATRON shows most conditions; a way over every rung, without a fall, is the easiest to follow.
    return (last === "PATRON" ? 20 : rank(last)) + (1 + rungs.size) / (2 + falls.length);
  },
  tell(protagonist) {
    const explanation = protagonist.explainAt(protagonist.now);
    if (explanation === null) return null;
    const { stage } = explanation.classification;
    if (rank(stage) < rank("ACCOUNT")) return null;
    return {
      customerId: protagonist.customerId,
      title: `Why is ${protagonist.customerId} ${stage === "ACCOUNT" ? "an" : "a"} ${stage}?`,
      steps: wayUp(protagonist).map(stepOf(protagonist)),
      remarks: remarksOf(protagonist, stage),
      rules: {
        heading: `Rules of ${stage} today, ${dateText(protagonist.now)}`,
        checks: explanation.stages.find((rung) => rung.stage === stage)?.rules ?? [],
      },
      today: explanation,
      advice: adviceOf(explanation, protagonist.currency),
    };
  },
};

/** The transitions that reached a rung never reached before. */
function wayUp({ transitions }: Protagonist): Protagonist["transitions"] {
  let highest = -1;
  return transitions.filter(({ current }) => {
    if (rank(current.stage) <= highest) return false;
    highest = rank(current.stage);
    return true;
  });
}

function remarksOf({ transitions }: Protagonist, stage: Stage): string[] {
  const falls = transitions.filter(
    ({ previous, current }) => previous !== null && rank(current.stage) < rank(previous.stage),
  ).length;
  const held = `What is asked to stay ${stage === "ACCOUNT" ? "an" : "a"} ${stage} is less than to become one, so that nobody flickers at a threshold.`;
  return falls === 0 ? [held] : [held, `On the way it fell back ${falls === 1 ? "once" : `${falls} times`}.`];
}

function adviceOf({ missing, lever }: Explanation, currency: string): string | null {
  if (missing !== null) {
    const lacking = missing.rules.map((rule) => ruleText(rule, { currency })).join("; ");
    if (lacking !== "") return `For ${missing.stage} it lacks: ${lacking}.`;
  }
  return lever === null ? null : `What to do with it: ${lever}.`;
}
