import { stripVTControlCharacters } from "node:util";
import { deadlineText } from "../cause-text.ts";
import { differenceText } from "../change-line.ts";
import { dateText } from "../human-text.ts";
import type { Palette } from "../palette.ts";
import { ruleText } from "../rule-text.ts";
import type { StoryOrAbsence } from "./choose-stories.ts";
import type { Story } from "./story.ts";

const INDENT = "     ";

/** A story as lines for a terminal. */
export function storyText(
  number: number,
  told: StoryOrAbsence,
  options: {
    readonly palette: Palette;
    readonly currency: string;
    readonly columns: number;
  },
): string {
  const { palette, columns } = options;
  if (told.kind === "absence") {
    return `  ${palette.heading(`${number}. No story here`)}\n${wrapped(told.text, columns)}\n`;
  }
  const { story } = told;
  const lines = [`  ${palette.heading(`${number}. ${story.title}`)}`];
  if (told.insteadOf !== null)
    lines.push(palette.quiet(wrapped(`(${told.insteadOf} So another one.)`, columns)));
  lines.push(...stepLines(story, palette));
  for (const remark of story.remarks) lines.push(wrapped(remark, columns));
  if (story.rules !== null && story.rules.checks.length > 0) {
    lines.push(`${INDENT}${palette.quiet(`${story.rules.heading}:`)}`);
    for (const check of story.rules.checks) {
      const mark = check.holds ? palette.good("✓") : palette.bad("✗");
      lines.push(`${INDENT}  ${mark} ${ruleText(check, { currency: options.currency })}`);
    }
  }
  lines.push(wrapped(nextText(story, palette), columns));
  if (story.advice !== null) lines.push(wrapped(story.advice, columns));
  return `${lines.join("\n")}\n`;
}

function stepLines({ steps }: Story, palette: Palette): string[] {
  const whats = steps.map(({ previous, current }) => differenceText(previous, current, palette));
  const width = Math.max(0, ...whats.map((what) => stripVTControlCharacters(what).length));
  return steps.map(({ at, why }, i) => {
    const what = whats[i] ?? "";
    const padding = " ".repeat(width - stripVTControlCharacters(what).length);
    return `${INDENT}${dateText(at)}  ${what}${padding}  ${palette.quiet(why)}`;
  });
}

function nextText({ today: { classification, next }, customerId }: Story, palette: Palette): string {
  if (next === null) return "Next: time alone changes nothing any more.";
  const difference = differenceText(classification, next.becomes, palette);
  return `${palette.heading("Next")}, if ${customerId} does nothing: ${difference} on ${dateText(next.at)} (${deadlineText(next.deadline)}).`;
}

/** Breaks a sentence into indented lines, between words. */
function wrapped(text: string, columns: number): string {
  const width = Math.max(40, Math.min(columns, 100)) - INDENT.length;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (stripVTControlCharacters(longer).length > width && line !== "") {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  lines.push(line);
  return lines.map((part) => `${INDENT}${part}`).join("\n");
}
