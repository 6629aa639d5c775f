import pc from "picocolors";
import type { Stage, Status } from "../../domain/classification.ts";

type Paint = (text: string) => string;

/** Colours by their meaning; all of them leave the text as it is where there is no colour. */
export interface Palette {
  readonly heading: Paint;
  readonly quiet: Paint;
  readonly customer: Paint;
  readonly good: Paint;
  readonly bad: Paint;
  readonly notable: Paint;
  readonly cause: Readonly<Record<"event" | "time" | "late", Paint>>;
  readonly status: (status: Status) => string;
  readonly stage: (stage: Stage) => string;
}

export function createPalette(hasColor: boolean): Palette {
  const colors = pc.createColors(hasColor);
  const statuses: Readonly<Record<Status, Paint>> = {
    ACTIVE: colors.green,
    INACTIVE: colors.red,
    POTENTIAL: colors.yellow,
    PROBABLE: colors.yellow,
    UNQUALIFIED: colors.dim,
  };
  const stages: Readonly<Record<Stage, Paint>> = {
    NONE: colors.dim,
    PROSPECT: colors.yellow,
    TESTER: colors.cyan,
    BUYER: colors.blue,
    ACCOUNT: colors.green,
    PATRON: colors.magenta,
    SPONSOR: (text) => colors.bold(colors.magenta(text)),
  };
  return {
    heading: colors.bold,
    quiet: colors.dim,
    customer: colors.bold,
    good: colors.green,
    bad: colors.red,
    notable: colors.yellow,
    cause: { event: colors.cyan, time: colors.yellow, late: colors.magenta },
    status: (status) => statuses[status](status),
    stage: (stage) => stages[stage](stage),
  };
}
