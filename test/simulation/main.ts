import { Command } from "commander";
import { randomInt } from "node:crypto";
import { wholeNumber } from "../../src/cli/arguments.ts";
import { OMISSIONS } from "./omissions.ts";
import { loadWith } from "./replacements.ts";
import { reportOmissions } from "./omission-report.ts";
import { seeds, simulate, traceOf, type Course } from "./simulate.ts";

interface Options {
  readonly minutes: number;
  readonly schedules?: number;
  readonly seed?: number;
  readonly trace?: true;
  readonly omission?: string;
  readonly omissions?: true;
  readonly json?: true;
  readonly first?: true;
}

const GREATEST_SEED = 2 ** 31 - 1;

const command = new Command("simulate")
  .description(
    "Runs random schedules of crashes, zombies and losses over the pipeline and verifies what each came to (A4). One seed is one schedule.",
  )
  .option("--minutes <n>", "how long", wholeNumber(1, 10_000), 1)
  .option("--schedules <n>", "how many, instead of how long", wholeNumber(1, 1_000_000_000))
  .option("--seed <n>", "the first seed; default: any", wholeNumber(0, GREATEST_SEED))
  .option("--trace", "only the schedule of --seed, step by step")
  .option(
    "--omission <name>",
    `with a part of the protocol left out: ${OMISSIONS.map(({ name }) => name).join(", ")}`,
  )
  .option("--omissions", "each of these in turn: which share of the schedules catches it")
  .option("--first", "end at the first violation")
  .option("--json", "the result as one JSON line");

async function run(options: Options): Promise<boolean> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  if (options.omissions === true) {
    return await reportOmissions({
      schedules: options.schedules ?? 20_000,
      first: options.first === true,
      say,
    });
  }
  const omission = OMISSIONS.find(({ name }) => name === options.omission);
  if (options.omission !== undefined && omission === undefined) {
    return command.error(`there is no omission ${options.omission}`, { exitCode: 2 });
  }
  loadWith(omission?.replace ?? []);
  // Only now: what it loads may be replaced.
  const { runSchedule } = await import("./schedule.ts");
  const sabotage = omission?.sabotage ?? {};
  const seed = options.seed ?? randomInt(GREATEST_SEED / 2);
  if (options.trace === true) {
    const result = await runSchedule(seed, { trace: true, sabotage });
    process.stdout.write(`${traceOf(result)}\n`);
    return result.violation === null;
  }
  // Injected errors are many, and nobody reads where they were made: stacks are a tenth of the time.
  Error.stackTraceLimit = 0;
  const course: Course = {
    ...seeds(seed, options),
    first: options.first === true,
    again: omission === undefined ? "" : ` --omission ${omission.name}`,
    run: (each) => runSchedule(each, { sabotage }),
    say,
  };
  const summary = await simulate(course);
  process.stdout.write(options.json === true ? `${JSON.stringify(summary)}\n` : `${summary.text}\n`);
  return summary.violations === 0;
}

command.action(async (options: Options) => {
  if (!(await run(options))) process.exitCode = 1;
});
await command.parseAsync();
