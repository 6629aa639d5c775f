/** Figures of one kind are compared alike. */
export type FigureKind =
  | "rate"
  | "cpu"
  | "sampled"
  | "allocated"
  | "bytes"
  | "memory"
  | "time"
  | "longest"
  | "count"
  | "ratio"
  | "shown";

interface Comparing {
  /** A figure may be worse than the kept one by this share of it. */
  readonly tolerance: number;
  /** And by this much, in its unit: below it there is only noise. */
  readonly leastDifference: number;
  /** Says nothing when it was measured on another machine. */
  readonly ofMachine: boolean;
}

/** How far figures of a kind differ from run to run on one quiet machine, by what was seen. */
export const KINDS: Readonly<Record<FigureKind, Comparing>> = {
  rate: { tolerance: 0.25, leastDifference: 0, ofMachine: true },
  cpu: { tolerance: 0.15, leastDifference: 0, ofMachine: true },
  /** A part of a CPU profile. */
  sampled: { tolerance: 0.3, leastDifference: 0.5, ofMachine: true },
  /** A part of an allocation profile. */
  allocated: { tolerance: 0.2, leastDifference: 100, ofMachine: false },
  bytes: { tolerance: 0.03, leastDifference: 0, ofMachine: false },
  memory: { tolerance: 0.25, leastDifference: 0, ofMachine: true },
  /** Pauses and waits: time-outs and polls are part of them. */
  time: { tolerance: 0.5, leastDifference: 0, ofMachine: true },
  /** The one longest of many, in ms. */
  longest: { tolerance: 1, leastDifference: 200, ofMachine: true },
  count: { tolerance: 0.1, leastDifference: 0, ofMachine: false },
  /** Of two figures of one run: the machine and its load are in both. */
  ratio: { tolerance: 0.1, leastDifference: 0, ofMachine: false },
  /** Explains others; neither more nor less of it is better. */
  shown: { tolerance: 0, leastDifference: Infinity, ofMachine: true },
};

export interface Figure {
  /** In the JSON line: keys with dots between, each `*` any one key, `[]` the median of a list. */
  readonly path: string;
  /** With a `*` for the key that stands in the path's; without, the key is told beside it. */
  readonly title: string;
  readonly unit: string;
  readonly kind: FigureKind;
  readonly better: "higher" | "lower";
}

/** What a scenario's JSON line holds. A path that is in none of the lists is an error. */
export interface ScenarioFigures {
  /** Heads its part of the documents. */
  readonly title: string;
  /** Options that it depends on: with others, only ratios can be compared. */
  readonly sizes: readonly string[];
  readonly figures: readonly Figure[];
  /** Paths of what is told and not compared; below each, everything. */
  readonly told: readonly string[];
  /** Option that lists what is measured, a key of the figures each: with another list nothing can be compared, and nothing is gone. */
  readonly parts?: string;
  /** In the documents, for keys that are no words of people. */
  readonly names?: Readonly<Record<string, string>>;
  /** In the documents, what the figures don't say by themselves. */
  readonly note?: string;
  /** Told as well, and each a table of the documents: names that come and go, with a figure. */
  readonly lists?: readonly { readonly path: string; readonly title: string; readonly unit: string }[];
}

const figure =
  (kind: FigureKind, better: "higher" | "lower", unit: string) =>
  (path: string, title: string, otherUnit = unit): Figure => ({ path, title, unit: otherUnit, kind, better });

const rate = figure("rate", "higher", "events/s");
const cpu = figure("cpu", "lower", "µs");
const sampled = figure("sampled", "lower", "µs");
const allocated = figure("allocated", "lower", "bytes");
const bytes = figure("bytes", "lower", "bytes");
const mib = figure("memory", "lower", "MiB");
const ms = figure("time", "lower", "ms");
const longestMs = figure("longest", "lower", "ms");
const seconds = figure("time", "lower", "s");
const count = figure("count", "lower", "");
const lowerRatio = figure("ratio", "lower", "×");
const higherRatio = figure("ratio", "higher", "×");
const shown = figure("shown", "higher", "");

const LIVE: ScenarioFigures = {
  title: "A backlog through Kafka and Redis, exactly once",
  sizes: ["events", "customers", "instances"],
  figures: [
    higherRatio("ofPeer.eventsPerSecond", "rate, of the peer's"),
    lowerRatio("ofPeer.cpuMicrosPerEvent", "CPU an event, of the peer's"),
    rate("eventsPerSecond", "rate"),
    cpu("cpuMicrosPerEvent.*", "CPU an event, *"),
    mib("processorPeakMiB", "peak memory of the processors"),
    bytes("redisBytesPerCustomer", "Redis a customer"),
  ],
  told: ["peer", "busyShare", "threads"],
};

/** `sizes`: on what else the figures depend. */
function growth(what: string, sizes: readonly string[], base: string, note = ""): ScenarioFigures {
  return {
    title: `One burst of events, over ever more ${what}`,
    sizes,
    parts: "sizes",
    figures: [
      rate("bySize.*.*.eventsPerSecond", "rate"),
      higherRatio("bySize.*.*.ofBase.eventsPerSecond", "rate, of the base's"),
      cpu("bySize.*.*.cpuMicrosPerEvent.all", "CPU an event, all processes"),
      lowerRatio("bySize.*.*.ofBase.cpuMicrosPerEvent", "CPU, of the base's"),
      shown("bySize.*.*.busyShare", "share of the cores that was busy"),
      mib("bySize.*.*.processorPeakMiB", "peak memory of the processor"),
    ],
    told: [
      "bySize.*.eventsPerCustomer",
      "bySize.*.*.cpuMicrosPerEvent",
      "bySize.*.*.changesPerEvent",
      "bySize.*.*.cacheHitShare",
    ],
    names: GROWTH_MODES,
    note: `By a process that starts with nothing in memory, after a history that was folded before; the base is ${base}, or the first size where that was not measured. ${note}`.trim(),
  };
}

/** How the processor was set. */
export const GROWTH_MODES: Readonly<Record<string, string>> = {
  asConfigured: "as configured",
  eachLoaded: "each customer loaded anew",
};

/** Every scenario that can be kept, in the order of the documents. */
export const FIGURES: Readonly<Record<string, ScenarioFigures>> = {
  live: LIVE,
  "live-two": { ...LIVE, title: "The same by two processors that share the machine" },
  "catch-up": {
    title: "A backlog from a cold start",
    sizes: ["events", "customers"],
    figures: [
      seconds("secondsToFirstCommit", "from the start to the first commit"),
      seconds("secondsToCommitted", "until all is committed"),
      seconds("secondsToStill", "until nothing more comes out"),
      rate("eventsPerSecond", "rate over all of the time"),
      rate("eventsPerSecondAtWork", "rate from the first commit on"),
      cpu("cpuMicrosPerEvent.*", "CPU an event, *"),
      mib("processorPeakMiB", "peak memory of the processor"),
    ],
    told: ["busyShare", "threads"],
  },
  latency: {
    title: "From an event to its change, under a steady load",
    sizes: ["events", "customers", "rate"],
    figures: [
      ms("latencyMs.p50", "from the event to its change, p50"),
      ms("latencyMs.p99", "the same, p99"),
      ms("latencyMs.p999", "the same, p99.9"),
      longestMs("latencyMs.max", "the same, longest"),
      rate("highestEventsPerSecond", "rate of the history before it"),
      cpu("cpuMicrosPerEvent.*", "CPU an event, *"),
    ],
    told: [
      "eventsPerSecond",
      "measuredSeconds",
      "warmSeconds",
      "isRateHeld",
      "measuredEvents",
      "latencyMs.count",
      "sendMs",
      "lagSeconds",
      "busyShare",
      "threads",
    ],
  },
  storm: {
    title: "A deadline of all customers at one instant",
    sizes: ["customers", "rate"],
    figures: [
      seconds("secondsToFirstChange", "from the instant to the first change"),
      seconds("secondsToLastChange", "until the last"),
      rate("changesPerSecond", "rate", "changes/s"),
      ms("liveLatencyMs.*.p50", "of other events to their change, p50"),
      ms("liveLatencyMs.*.p99", "p99"),
      ms("liveLatencyMs.*.p999", "p99.9"),
      longestMs("liveLatencyMs.*.max", "longest"),
      cpu("cpuMicrosPerChange.*", "CPU a change, *"),
    ],
    told: ["eventsPerSecond", "changes", "liveLatencyMs.*.count", "sendMs", "busyShare"],
  },
  "growth-customers": growth(
    "customers",
    ["events"],
    "100 000",
    "As configured, customers who are few are still in memory when they come again, and often in the same batch; loaded anew, neither.",
  ),
  "growth-partitions": growth("partitions", ["events", "customers"], "8"),
  "growth-years": growth("years of history", ["events", "customers"], "1"),
  replay: {
    title: "Replay of an event file",
    sizes: ["events", "customers"],
    figures: [rate("*.eventsPerSecond", "rate"), mib("*.peakMiB", "peak memory")],
    told: [],
  },
  work: {
    title: "Decode, fold and encode alone",
    sizes: ["events", "customers"],
    figures: [
      cpu("cpuMicros", "CPU an event, all threads"),
      cpu("wallMicros", "time an event, the one thread"),
      cpu("encodeMicros", "of it, encoding states and outputs"),
      bytes("bytesPerState", "a written state"),
      bytes("bytesPerRecord", "an input record's value"),
      bytes("bytesPerChange", "the records of a change"),
      mib("heapMiB", "heap at the end"),
    ],
    told: ["changesPerEvent"],
  },
  profile: {
    title: "The backlog of `live`, by part of the program",
    sizes: ["events", "customers"],
    figures: [
      cpu("cpuMicrosPerEvent", "CPU an event of the processor"),
      sampled("areas.*.cpuMicros", "CPU an event"),
      allocated("areas.*.allocatedBytes", "allocated on the heap an event"),
    ],
    told: ["profilerMicrosPerEvent", "unmappedShare"],
    lists: [
      { path: "topFunctions", title: "function: CPU an event, itself", unit: "µs" },
      { path: "topAllocations", title: "function: allocated on the heap an event, itself", unit: "bytes" },
    ],
  },
  memory: {
    title: "What a customer takes in Redis, deadline included, after three years",
    sizes: [],
    figures: [
      bytes("bytesAt6Orders", "six plain orders"),
      bytes("bytesAt6Events", "6 events of the mix"),
      bytes("bytesAt60Events", "60 events of the mix"),
      bytes("bytesAt600Events", "600 events of the mix"),
    ],
    told: [],
  },
  heavy: {
    title: "A customer with 50 000 orders in the horizon beside an ordinary one, fold and state",
    sizes: [],
    figures: [
      lowerRatio("inOrderRatio", "an event in order, against one of an ordinary customer"),
      cpu("inOrderMicros", "an event in order"),
      cpu("ordinaryInOrderMicros", "an event in order of an ordinary customer"),
      cpu("lateMicros", "a late event"),
      cpu("amendmentMicros", "an amendment"),
      cpu("loadMicros", "loading the state"),
    ],
    told: ["orders"],
  },
  "rolling-restart": {
    title: "Rolling restart under load",
    sizes: ["instances", "rate", "customers"],
    figures: [
      ms("pauseMs.p50", "pause of a shard that moves, p50"),
      ms("pauseMs.p99", "the same, p99"),
      longestMs("pauseMs.max", "the same, longest"),
      ms("pausePartsP50Ms.*", "of it, *"),
      ms("keptMs.p50", "pause of a shard that stays, p50"),
      ms("keptMs.p99", "the same, p99"),
      longestMs("keptMs.max", "the same, longest"),
      ms("stopMs.p50", "from SIGTERM to the exit, p50"),
      ms("stopMs.p99", "the same, p99"),
      longestMs("stopMs.max", "the same, longest"),
      count("moves", "shards that moved"),
    ],
    told: [
      "eventsPerSecond",
      "threads",
      "threadLagMaxSeconds",
      "pauseMs.count",
      "keptMs.count",
      "stopMs.count",
      "exits",
      "rebalances",
      "minimumMoves",
      "changes",
    ],
    names: {
      assigned: "until the next owner is told, p50",
      acquired: "until it has acquired the shard, p50",
      firstChange: "until its first change, p50",
    },
  },
  recovery: {
    title: "Recovery after SIGKILL",
    sizes: ["customers"],
    figures: [
      seconds("*.secondsToAssignment", "until the shards are assigned"),
      seconds("*.secondsToFirstAcquired", "until the first shard is acquired"),
      seconds("*.secondsToLastAcquired", "until the last shard is acquired"),
      seconds("*.secondsToFirstChange", "until the first change"),
      seconds("*.secondsToLastShardsChange", "until each shard has published"),
    ],
    names: { byAnother: "another processor takes over", bySame: "the same one is started again at once" },
    told: ["backlog", "threads", "*.backlogLeft", "*.threadLagMaxSeconds", "*.shards"],
  },
  assignor: {
    title: "The assignor alone, with a thousand instances that come and go",
    sizes: [],
    figures: [
      count("changes.*.movedPerEvent", "shards moved"),
      longestMs("changes.*.slowestAssignMs", "slowest assignment"),
    ],
    told: ["shards", "changes.*.events", "changes.*.leastPerEvent", "changes.*.orphanedPerEvent"],
  },
  "redis-wait": {
    title: "`CLIENTELA_REDIS_WAIT_REPLICAS=1` on a Redis Cluster, with and without by turns",
    sizes: ["events", "customers"],
    figures: [
      higherRatio("eventsRatio", "rate with the wait, of the rate without"),
      rate("eventsPerSecond.*[]", "rate, * the wait"),
      rate("largeCommitsOfAllShards.*[].perSecond", "commits of 500 customers", "a second"),
      ms("largeCommitsOfAllShards.*[].p50Ms", "the same, p50"),
      ms("largeCommitsOfAllShards.*[].p99Ms", "the same, p99"),
      rate("smallCommitsOfOneShard.*[].perSecond", "commits of 10 customers, one shard", "a second"),
      ms("smallCommitsOfOneShard.*[].p50Ms", "the same, p50"),
      ms("smallCommitsOfOneShard.*[].p99Ms", "the same, p99"),
    ],
    told: [],
  },
};

export function figuresOf(scenario: string): ScenarioFigures {
  const found = FIGURES[scenario];
  if (found === undefined) throw new Error(`figures.ts does not declare what ${scenario} tells`);
  return found;
}
