import { ruleText } from "../app/demo/rule-text.ts";
import { moneyText } from "../app/demo/human-text.ts";
import { causeText, deadlineText } from "../app/demo/cause-text.ts";
import type { ExplainedRule, Explanation } from "../domain/explain.ts";
import { toIso } from "../shared/instant.ts";

/** An explanation for people: what holds and what does not, rung by rung, figures with their thresholds. */
export function explanationText(explanation: Explanation, currency: string): string {
  const { classification: now, facts, next, missing, cause } = explanation;
  const rule = (each: ExplainedRule): string =>
    `    ${each.holds ? "✓" : "✗"} ${ruleText(each, { currency })}`;
  const lines = [
    `${explanation.customerId} at ${toIso(explanation.at)}`,
    `  ${now.status} · ${now.stage} · value ${now.value} · ${now.attention}${now.tags.length === 0 ? "" : ` · ${now.tags.join(", ")}`}`,
    `  since ${toIso(explanation.since)}: ${causeText(cause, ({ topic, eventId }) => `${topic} ${eventId}`)}`,
    "",
    `  Status ${now.status}`,
    ...explanation.status.map(rule),
    "",
    `  Stage ${now.stage}`,
    ...(explanation.stages.find(({ stage }) => stage === now.stage)?.rules ?? []).map(rule),
    ...explanation.caps
      .filter(({ holds }) => holds)
      .map((each) => `    capped: ${ruleText(each, { currency })}`),
    "",
    `  Value ${now.value}`,
    ...explanation.value.map(rule),
    "",
    `  Attention ${now.attention}`,
    ...explanation.attention.map(rule),
    "",
    "  Figures of the last 365 days",
    `    revenue ${moneyText(facts.revenueMinor, currency)} − cost ${moneyText(facts.costMinor, currency)} = profit ${moneyText(facts.profitMinor, currency)}`,
    `    ${facts.occasions365} days with a purchase (${facts.occasionsEver} ever), ${facts.units} pieces, profile ${facts.profile}`,
  ];
  if (facts.lapseAt !== null) lines.push(`    lapses at ${toIso(facts.lapseAt)} if nothing is bought`);
  if (missing !== null) {
    lines.push("", `  Missing for ${missing.stage}`);
    lines.push(
      ...(missing.rules.length === 0
        ? ["    nothing: it is decided by a higher or lower rung"]
        : missing.rules.map(rule)),
    );
  }
  lines.push(
    "",
    next === null
      ? "  Nothing more will change by time alone"
      : `  Next, if nothing happens: ${toIso(next.at)} ${next.becomes.status} · ${next.becomes.stage} (${deadlineText(next.deadline)})`,
  );
  if (explanation.lever !== null) lines.push(`  What helps now: ${explanation.lever}`);
  return `${lines.join("\n")}\n`;
}
