import { availableParallelism } from "node:os";
import { simulateApart } from "./apart.ts";
import { OMISSIONS, type Omission } from "./omissions.ts";
import type { Summary } from "./simulate.ts";

export interface Caught {
  readonly omission: Omission;
  readonly summary: Summary;
}

/** Runs them all, as many at once as there are cores. */
export async function runOmissions(
  omissions: readonly Omission[],
  how: { readonly schedules: number; readonly first: boolean },
  onCaught: (caught: Caught) => void = () => undefined,
): Promise<Caught[]> {
  const waiting = [...omissions];
  const results: Caught[] = [];
  const worker = async (): Promise<void> => {
    for (let omission = waiting.shift(); omission !== undefined; omission = waiting.shift()) {
      const { summary } = await simulateApart({ from: 1, ...how, omission: omission.name });
      const caught = { omission, summary };
      results.push(caught);
      onCaught(caught);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return omissions.flatMap((omission) => results.filter((caught) => caught.omission === omission));
}

/** Prints a Markdown table. True when each omission was caught. */
export async function reportOmissions(how: {
  readonly schedules: number;
  readonly first: boolean;
  say(text: string): void;
}): Promise<boolean> {
  const results = await runOmissions(OMISSIONS, how, ({ omission, summary }) => {
    how.say(`${omission.name}: ${summary.violations} of ${summary.schedules}`);
  });
  const rows = results.map(({ omission, summary }) => {
    const { violations, schedules, firstSeed, firstViolation } = summary;
    const share = how.first ? `within ${schedules}` : `${((100 * violations) / schedules).toPrecision(2)} %`;
    return `| ${omission.says} | ${violations === 0 ? "not caught" : share} | ${firstSeed ?? ""} | ${kindOf(firstViolation ?? "")} |`;
  });
  const head = [
    "| left out | schedules that catch it | first seed | what it comes to there |",
    "| --- | --- | --- | --- |",
  ];
  process.stdout.write(`${[...head, ...rows].join("\n")}\n`);
  return results.every(({ summary }) => summary.violations > 0);
}

/** A violation without its ids. */
function kindOf(violation: string): string {
  const short = violation.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "…").replaceAll("|", "/");
  return short.length > 110 ? `${short.slice(0, 110)}…` : short;
}
