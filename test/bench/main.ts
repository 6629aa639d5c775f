import { Command } from "commander";
import { wholeNumber } from "../../src/cli/arguments.ts";
import { benchAssignor } from "./assignor.ts";
import { compareResults } from "./comparison.ts";
import { comparisonText } from "./comparison-text.ts";
import { conditionsSince, load } from "./conditions.ts";
import { benchHeavy } from "./heavy.ts";
import { keepResult, newestResults, type ResultLine } from "./kept-results.ts";
import { benchLive } from "./live.ts";
import { benchMemory } from "./memory.ts";
import { benchProfile } from "./profile/profile.ts";
import { benchRecovery } from "./recovery.ts";
import { benchRedisWait } from "./redis-wait.ts";
import { benchReplay } from "./replay.ts";
import { benchRollingRestart } from "./rolling-restart.ts";
import { benchWork } from "./work.ts";

export interface BenchSize {
  readonly events: number;
  readonly customers: number;
  readonly runs: number;
  readonly instances: number;
  /** Events a second, where the load is steady. */
  readonly rate: number;
}

interface Keeping {
  readonly save?: true;
  readonly compare?: true;
}

type Scenario = (size: BenchSize, say: (text: string) => void) => Promise<object>;

/** Each prints one JSON line: its figures (medians over the runs) and its conditions. */
const SCENARIOS: Readonly<Record<string, { readonly says: string; readonly run: Scenario }>> = {
  replay: {
    says: "event files through the embedded composition: rate and memory",
    run: benchReplay,
  },
  work: {
    says: "decode, fold and encode alone, as one thread of `run` does: CPU an event",
    run: benchWork,
  },
  live: {
    says: "a backlog through Kafka, registry and Redis, exactly once, one processor: rate, CPU by process, Redis bytes a customer",
    run: benchLive,
  },
  profile: {
    says: "the backlog of `live` under V8's profilers: CPU and allocated bytes an event by part of the program and by function",
    run: benchProfile,
  },
  "rolling-restart": {
    says: "several processors under steady load, each restarted in turn: how long each shard pauses, and that nothing is lost or doubled",
    run: benchRollingRestart,
  },
  recovery: {
    says: "SIGKILL with all customers in Redis and a backlog: seconds to the first new change, by another processor and by the same one started again",
    run: benchRecovery,
  },
  memory: {
    says: "bytes a customer takes in Redis after 6, 60 and 600 events",
    run: (_, tell) => benchMemory(tell),
  },
  heavy: {
    says: "a customer with 50 000 orders beside an ordinary one: CPU of an event in order, late, and of an amendment",
    run: (_, tell) => benchHeavy(tell),
  },
  assignor: {
    says: "a thousand instances that join, leave and crash, on paper: shards that move against the least possible, and the leader's work",
    run: () => benchAssignor(),
  },
  "redis-wait": {
    says: "a Redis Cluster of three masters with a replica each: commits a second and events a second with and without waiting for the replica, by turns",
    run: benchRedisWait,
  },
};

const say = (text: string): void => void process.stderr.write(`${text}\n`);

function compareWithKept(line: ResultLine): void {
  const kept = newestResults().get(line.scenario);
  if (kept === undefined) {
    say(`no result of ${line.scenario} is kept to compare with`);
    return;
  }
  const comparison = compareResults(kept, line);
  say(comparisonText(comparison));
  if (comparison.isWorse) process.exitCode = 1;
}

await new Command("bench")
  .description(
    "Measures clientela on this machine. Starts its own servers; everything it writes is in a temporary folder.",
  )
  .argument("[scenario...]", `which: ${Object.keys(SCENARIOS).join(", ")} (default: all)`)
  .option("--events <n>", "events", wholeNumber(1000, 100_000_000), 1_000_000)
  .option("--customers <n>", "customers", wholeNumber(1, 9_000_000), 100_000)
  .option("--runs <n>", "runs, of which the median is told", wholeNumber(1, 100), 3)
  .option("--instances <n>", "processors, where there are several", wholeNumber(2, 20), 3)
  .option("--rate <n>", "events a second, where the load is steady", wholeNumber(10, 1_000_000), 4_000)
  .option("--save", "keep each result as this release's, in test/bench/results")
  .option(
    "--compare",
    "compare each result with the newest that is kept; exit code 1 when something is worse",
  )
  .addHelpText(
    "after",
    `\n${Object.entries(SCENARIOS)
      .map(([name, { says }]) => `  ${name}: ${says}`)
      .join("\n")}`,
  )
  .action(async (names: string[], { save, compare, ...size }: BenchSize & Keeping) => {
    for (const name of names.length === 0 ? Object.keys(SCENARIOS) : names) {
      const scenario = SCENARIOS[name];
      if (scenario === undefined)
        throw new Error(`there is no scenario ${name}: ${Object.keys(SCENARIOS).join(", ")}`);
      const loadBefore = load();
      const figures = await scenario.run(size, say);
      const line = { scenario: name, ...size, ...figures, conditions: conditionsSince(loadBefore) };
      process.stdout.write(`${JSON.stringify(line)}\n`);
      if (compare === true) compareWithKept(line);
      if (save === true) say(`kept in ${await keepResult(line)}`);
    }
  })
  .parseAsync();
