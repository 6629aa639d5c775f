import { Command } from "commander";
import { wholeNumber } from "../../src/cli/arguments.ts";
import { benchAssignor } from "./assignor.ts";
import { benchCatchUp } from "./catch-up.ts";
import { compareResults } from "./comparison.ts";
import { comparisonText } from "./comparison-text.ts";
import { conditionsSince, load, serverVersions } from "./conditions.ts";
import { benchGrowth, type Axis } from "./growth.ts";
import { benchHeavy } from "./heavy.ts";
import { keepResult, newestResults, type ResultLine } from "./kept-results.ts";
import { benchLatency } from "./latency.ts";
import { benchLive } from "./live.ts";
import { benchMemory } from "./memory.ts";
import { benchProfile } from "./profile/profile.ts";
import { benchRecovery } from "./recovery.ts";
import { benchRedisWait } from "./redis-wait.ts";
import { benchReplay } from "./replay.ts";
import { benchRollingRestart } from "./rolling-restart.ts";
import type { Say } from "./stage.ts";
import { benchStorm } from "./storm.ts";
import { benchWork } from "./work.ts";

export interface BenchSize {
  readonly events: number;
  readonly customers: number;
  readonly runs: number;
  readonly instances: number;
  /** Events a second, where the load is steady; null: what the scenario takes for right. */
  readonly rate: number | null;
  /** How long is measured, and how long the load goes on before; null: as long as the scenario takes for right. */
  readonly seconds: number | null;
  readonly warm: number | null;
  /** Of what grows; null: the scenario's own. */
  readonly sizes: readonly number[] | null;
  /** Folder of a peer program; null: none. */
  readonly against: string | null;
}

interface Keeping {
  readonly save?: true;
  readonly compare?: true;
}

type Scenario = (size: BenchSize, say: Say) => Promise<object>;

interface Described {
  readonly says: string;
  readonly run: Scenario;
  /** Sizes that are not the usual ones. */
  readonly sizes?: Partial<BenchSize>;
  /** Works without the servers of the stack. */
  readonly alone?: true;
}

const USUAL: BenchSize = {
  events: 1_000_000,
  customers: 100_000,
  runs: 3,
  instances: 1,
  rate: null,
  seconds: null,
  warm: null,
  sizes: null,
  against: null,
};

const growth = (axis: Axis, what: string): Described => ({
  says: `one burst of events over ever more ${what} (--sizes): rate and CPU against the base`,
  run: benchGrowth(axis),
  sizes: { events: 500_000, runs: 1 },
});

/** Each prints one JSON line: its figures (medians over the runs) and its conditions. */
const SCENARIOS: Readonly<Record<string, Described>> = {
  replay: {
    says: "event files through the embedded composition: rate and memory",
    run: benchReplay,
    alone: true,
  },
  work: {
    says: "decode, fold and encode alone, as one thread of `run` does: CPU an event",
    run: benchWork,
    alone: true,
  },
  live: {
    says: "a backlog through Kafka, registry and Redis, exactly once, one processor: rate, CPU by process, Redis bytes a customer; --against: by turns with a peer program",
    run: benchLive,
  },
  "live-two": {
    says: "the same by two processors that share the machine",
    run: benchLive,
    sizes: { instances: 2 },
  },
  "catch-up": {
    says: "a backlog, one processor from cold with nothing committed: seconds until all is committed, and until nothing more comes out",
    run: benchCatchUp,
    sizes: { events: 2_000_000 },
  },
  latency: {
    says: "the realistic mix at an even rate (default: half of the highest): from when an event is due until a subscriber has its change",
    run: benchLatency,
  },
  storm: {
    says: "a deadline of all customers at one and the same instant amid live traffic: seconds until all changes are visible, and what live traffic feels of it",
    run: benchStorm,
    sizes: { customers: 1_000_000, runs: 1 },
  },
  "growth-customers": growth("customers", "customers"),
  "growth-partitions": growth("partitions", "partitions"),
  "growth-years": growth("years", "years of history"),
  profile: {
    says: "the backlog of `live` under V8's profilers: CPU and allocated bytes an event by part of the program and by function",
    run: benchProfile,
  },
  "rolling-restart": {
    says: "several processors under steady load, each restarted in turn: how long each shard pauses, and that nothing is lost or doubled",
    run: benchRollingRestart,
    sizes: { instances: 3 },
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
    alone: true,
  },
  assignor: {
    says: "a thousand instances that join, leave and crash, on paper: shards that move against the least possible, and the leader's work",
    run: () => benchAssignor(),
    alone: true,
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

/** The usual size and those of scenarios that have another. */
function usual(option: "events" | "customers" | "runs" | "instances"): string {
  const others = Object.entries(SCENARIOS).flatMap(([name, { sizes }]) =>
    sizes?.[option] === undefined ? [] : [`${name} ${sizes[option]}`],
  );
  return [USUAL[option], ...others].join(", ");
}

/** Options that would be ignored in silence. */
function refuseUseless(name: string, { against, sizes }: BenchSize): void {
  const { run } = SCENARIOS[name] ?? {};
  if (against !== null && run !== benchLive) throw new Error(`--against is for live, not for ${name}`);
  if (sizes !== null && !name.startsWith("growth-"))
    throw new Error(`--sizes is for growth, not for ${name}`);
}

/** The sizes that say something: without those that are left to the scenario, and without a place on this machine. */
function told({ against, ...size }: BenchSize): object {
  return Object.fromEntries(Object.entries(size).filter(([, value]) => value !== null));
}

await new Command("bench")
  .description(
    "Measures clientela on this machine. Starts its own servers; everything it writes is in a temporary folder.",
  )
  .argument("[scenario...]", `which: ${Object.keys(SCENARIOS).join(", ")} (default: all)`)
  .option("--events <n>", `events (default: ${usual("events")})`, wholeNumber(1000, 100_000_000))
  .option("--customers <n>", `customers (default: ${usual("customers")})`, wholeNumber(1, 9_000_000))
  .option("--runs <n>", `runs, of which the median is told (default: ${usual("runs")})`, wholeNumber(1, 100))
  .option("--instances <n>", `processors (default: ${usual("instances")})`, wholeNumber(1, 20))
  .option("--rate <n>", "events a second, where the load is steady", wholeNumber(10, 1_000_000))
  .option("--seconds <n>", "latency: how long is measured (default: 60)", wholeNumber(1, 3_600))
  .option("--warm <n>", "latency: seconds of the load before that (default: 60)", wholeNumber(0, 3_600))
  .option("--sizes <n,n>", "growth: sizes of what grows", (text) =>
    text.split(",").map(wholeNumber(1, 9_000_000)),
  )
  .option("--against <folder>", "live: a peer program, see test/bench/peer.ts")
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
  .action(async (names: string[], { save, compare, ...given }: Partial<BenchSize> & Keeping) => {
    for (const name of names.length === 0 ? Object.keys(SCENARIOS) : names) {
      const scenario = SCENARIOS[name];
      if (scenario === undefined)
        throw new Error(`there is no scenario ${name}: ${Object.keys(SCENARIOS).join(", ")}`);
      const size = { ...USUAL, ...scenario.sizes, ...given };
      refuseUseless(name, size);
      const loadBefore = load();
      const figures = await scenario.run(size, say);
      const conditions = {
        ...conditionsSince(loadBefore),
        ...(scenario.alone === true ? {} : await serverVersions()),
      };
      const line = { scenario: name, ...told(size), ...figures, conditions };
      process.stdout.write(`${JSON.stringify(line)}\n`);
      if (compare === true) compareWithKept(line);
      if (save === true) say(`kept in ${await keepResult(line)}`);
    }
  })
  .parseAsync();
