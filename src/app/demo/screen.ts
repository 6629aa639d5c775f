import { STAGES, STATUSES, type Classification } from "../../domain/classification.ts";
import { countText, monthText } from "./human-text.ts";
import type { CauseWord } from "./change-line.ts";
import type { Palette } from "./palette.ts";

/** Where the demo writes. */
export interface Screen {
  write(text: string): void;
  readonly isTTY: boolean;
  /** Width of the terminal; longer lines are cut there. Elsewhere nothing is cut. */
  readonly columns: number;
  readonly color: boolean;
}

/** How the run went, in counts. */
export interface DemoCounts {
  /** Different facts that arrived. */
  facts: number;
  /** Of them, those that came days late; and second deliveries of the same fact. */
  late: number;
  again: number;
}

/** Three lines that say what is about to be seen. */
export function headerText(
  { customers, days, seed }: { readonly customers: number; readonly days: number; readonly seed: number },
  palette: Palette,
): string {
  const { event, time, late } = palette.cause;
  return [
    `${palette.heading("clientela demo")}: a tea shop and a wholesale dealer, ${countText(customers, "invented customer")}, ${countText(days, "day")} in fast motion (seed ${seed}).`,
    "Orders, payments, returns, questions and surveys stream in, some days late, some twice; segments stay true.",
    `One line a change: set off by an ${event("event")}, by ${time("time")} alone (no record came), or by a fact told ${late("late")}; then why.`,
    "",
    "",
  ].join("\n");
}

/** What was not shown of a month, and where the customers stand at its end. */
export function monthLine(
  at: number,
  hidden: Readonly<Record<CauseWord, number>>,
  standings: Iterable<Classification>,
  palette: Palette,
): string {
  const counts = new Map<string, number>();
  for (const { status, stage } of standings) {
    for (const name of [status, stage]) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const standing = [...STATUSES.slice(0, 2), ...STAGES.slice(-3)]
    .filter((name) => counts.has(name))
    .map((name) => `${counts.get(name) ?? 0} ${name}`)
    .join(", ");
  const sum = hidden.event + hidden.time + hidden.late;
  const more = sum === 0 ? "all shown" : `+${countText(sum, "more change")} (${causesText(hidden)})`;
  return (
    palette.quiet(`            ${monthText(at)}: ${more}; now ${standing === "" ? "nobody" : standing}`) +
    "\n"
  );
}

function causesText({ event, time, late }: Readonly<Record<CauseWord, number>>): string {
  return [
    [event, "by an event"],
    [time, "by time"],
    [late, "late"],
  ]
    .filter(([count]) => count !== 0)
    .map((part) => part.join(" "))
    .join(", ");
}

/** Totals of the run. */
export function totalsText(
  { facts, late, again }: DemoCounts,
  changes: Readonly<Record<CauseWord, number>>,
  erased: number,
  deadLetters: number,
): string {
  const sum = changes.event + changes.time + changes.late;
  const lines = [
    `  ${countText(facts, "fact")} came in; ${late} of them days late, and ${again} a second time (counted once).`,
    `  ${countText(sum, "change")} went out: ${changes.event} set off by an event, ${changes.time} by time alone, ${changes.late} by a fact told late.`,
  ];
  if (erased > 0) {
    lines.push(
      `  ${countText(erased, "customer")} asked to be erased: their facts, state and segment are gone.`,
    );
  }
  if (deadLetters > 0)
    lines.push(`  ${countText(deadLetters, "record")} refused, with a reason, to the dead letters.`);
  return `${lines.join("\n")}\n`;
}

/** Three commands for the curious. `customerId`: one that a story was about; null: none. */
export function tryNextText(seed: number, customerId: string | null, palette: Palette): string {
  const commands: readonly (readonly [string, string])[] = [
    [`npx clientela demo --seed ${seed + 1}`, "another invented shop"],
    [`npx clientela demo --seed ${seed} --fast --save-events demo.jsonl`, "keep this shop's facts in a file"],
    [`npx clientela explain ${customerId ?? "C-1001"} --events demo.jsonl`, "every rule of one customer"],
  ];
  const width = Math.max(...commands.map(([command]) => command.length));
  return [
    palette.heading("Try next"),
    ...commands.map(([command, what]) => `  ${command.padEnd(width)}   ${palette.quiet(what)}`),
    "",
  ].join("\n");
}
