import Table from "cli-table3";
import { ATTENTIONS, STAGES, STATUSES, VALUES, type Classification } from "../../domain/classification.ts";
import type { Palette } from "./palette.ts";

/** Who stands where: status across, the ladder of stages down, then value and attention. Ends in a line break. */
export function ladderText(standings: Iterable<Classification>, palette: Palette): string {
  const all = [...standings];
  const count = (holds: (classification: Classification) => boolean): string => {
    const found = all.filter(holds).length;
    return found === 0 ? palette.quiet("·") : String(found);
  };
  const table = new Table({
    head: ["", ...STATUSES.map((status) => palette.status(status)), "all"],
    colAligns: ["left", ...STATUSES.map(() => "right" as const), "right"],
    style: { head: [], border: [], compact: true },
  });
  for (const stage of STAGES.toReversed()) {
    table.push([
      palette.stage(stage),
      ...STATUSES.map((status) => count((of) => of.stage === stage && of.status === status)),
      count((of) => of.stage === stage),
    ]);
  }
  table.push(["all", ...STATUSES.map((status) => count((of) => of.status === status)), String(all.length)]);
  const values = VALUES.map((value) => `${value} ${count((of) => of.value === value)}`);
  const attentions = ATTENTIONS.map(
    (attention) => `${attention} ${count((of) => of.attention === attention)}`,
  );
  return `${table.toString()}\n  value by a year's profit   ${values.join("   ")}\n  attention                  ${attentions.join("   ")}\n`;
}
