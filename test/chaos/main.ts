import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { wholeNumber } from "../../src/cli/arguments.ts";
import { BREAKS, type Break } from "./breaks.ts";
import { lineOf, summaryOf, violationsOf } from "./report.ts";
import { runChaos } from "./run-chaos.ts";

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly runs: number;
  readonly processes: number;
  readonly dir: string;
  readonly keep: boolean;
  readonly focus: boolean;
  readonly break?: Break;
}

function minutes(value: string): number {
  const number = Number(value);
  if (!(number >= 0.3 && number <= 1440))
    throw new InvalidArgumentError("It must be a number of minutes from 0.3 to 1440.");
  return number;
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

await new Command("chaos")
  .description(
    "Kills, freezes and cuts off processors, brokers, Redis and registry under load, then recomputes everything and compares. Starts its own servers.",
  )
  .option("--minutes <n>", "how long the adversary is at work", minutes, 5)
  .option(
    "--seed <n>",
    "decides facts and faults; default: from the clock",
    wholeNumber(0, 2 ** 31 - 1),
    Date.now() % 1_000_000,
  )
  .option("--runs <n>", "so many runs, each with the next seed", wholeNumber(1, 10_000), 1)
  .option("--processes <n>", "processors", wholeNumber(1, 8), 3)
  .option("--dir <folder>", "where data and logs go", ".chaos")
  .option("--focus", "strike at the commit and at Redis only, and oftener", false)
  .option("--keep", "keep data and logs of a run without violations too", false)
  .addOption(
    new Option("--break <way>", "break the protocol on purpose: the run has to report it").choices([
      ...BREAKS,
    ]),
  )
  .action(async (options: Options) => {
    for (let i = 0; i < options.runs; i++) await once({ ...options, seed: options.seed + i });
  })
  .parseAsync();
// A request that a dead server never answers would keep the process alive.
process.exit();

async function once(options: Options): Promise<void> {
  const { seed, keep, processes } = options;
  const dir = join(process.cwd(), options.dir, `seed-${seed}-${Date.now().toString(36)}`);
  mkdirSync(dir, { recursive: true });
  const report = await runChaos({
    seed,
    durationMs: options.minutes * 60_000,
    processes,
    dir,
    breaks: options.break ?? null,
    isFocused: options.focus,
    signal: stop.signal,
    onDeed: ({ at, what }) => say(`${(at / 1000).toFixed(1).padStart(7)} ${what}`),
    onProgress: say,
  });
  process.stdout.write(`${summaryOf(report)}\n`);
  const again = `npm run chaos -- --minutes ${options.minutes} --seed ${seed} --processes ${processes}${options.focus ? " --focus" : ""}${options.break === undefined ? "" : ` --break ${options.break}`}`;
  if (report.violations.length > 0) {
    writeFileSync(join(dir, "violations.log"), report.violations.map((each) => `${lineOf(each)}\n`).join(""));
    for (const [customerId, file] of report.verdict.files)
      writeFileSync(join(dir, `customer-${customerId}.json`), JSON.stringify(file, null, 2));
    process.stdout.write(`${violationsOf(report)}\nkept in ${dir}\nagain: ${again}\n`);
    process.exitCode = 1;
  } else if (keep) {
    process.stdout.write(`kept in ${dir}\n`);
  } else {
    rmSync(dir, { recursive: true, force: true });
  }
}
