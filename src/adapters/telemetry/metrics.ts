import { monitorEventLoopDelay } from "node:perf_hooks";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { DEAD_LETTER_REASONS, FACT_TOPICS } from "../../domain/events.ts";
import type { AcquiredPath, ShardPhase, Telemetry } from "../../pipeline/telemetry.ts";

const PHASES: readonly ShardPhase[] = [
  "acquiring",
  "recovering",
  "running",
  "waiting",
  "stopped",
  "released",
];
const PATHS: readonly AcquiredPath[] = ["fresh", "current", "gap", "rebuild"];

/** What Node knows of this process: CPU, memory, event loop, garbage collection. */
export function createProcessMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "clientela_" });
  return registry;
}

/** The pipeline's telemetry as Prometheus metrics; base units, all names begin with `clientela_`. */
export function createMetrics(): { readonly telemetry: Telemetry; readonly registry: Registry } {
  const registry = new Registry();
  const registers = [registry];
  const events = new Counter({
    name: "clientela_events_total",
    help: "Records read, by topic and what they came to.",
    labelNames: ["topic", "outcome"],
    registers,
  });
  const lag = new Gauge({
    name: "clientela_lag_records",
    help: "Records of a shard's topic that have not been folded yet.",
    labelNames: ["shard", "topic"],
    registers,
  });
  const lateness = new Histogram({
    name: "clientela_deadline_lateness_seconds",
    help: "How long after its instant a deadline was applied, for deadlines of the last hour.",
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600],
    registers,
  });
  const changes = new Counter({
    name: "clientela_changes_total",
    help: "Changed axes of published segment changes, by axis, cause and origin.",
    labelNames: ["axis", "cause", "origin"],
    registers,
  });
  const deadLetters = new Counter({
    name: "clientela_dead_letters_total",
    help: "Records refused to the dead-letter topic, by reason.",
    labelNames: ["reason"],
    registers,
  });
  const commit = new Histogram({
    name: "clientela_commit_duration_seconds",
    help: "Duration of a commit's steps: transaction (Kafka), script (state store), total.",
    labelNames: ["step"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const batch = new Histogram({
    name: "clientela_batch_records",
    help: "Records in a committed batch.",
    buckets: [1, 10, 50, 100, 250, 500, 1000, 2000, 4000, 10_000],
    registers,
  });
  const shards = new Gauge({
    name: "clientela_shards",
    help: "Shards of this process, by what they are doing.",
    labelNames: ["phase"],
    registers,
  });
  const acquired = new Histogram({
    name: "clientela_acquire_duration_seconds",
    help: "Time to take a shard over, by how it was found: fresh, current, gap or rebuild.",
    labelNames: ["path"],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600],
    registers,
  });
  const refolded = new Counter({
    name: "clientela_refolded_records_total",
    help: "Records folded again in silence after a crash or a loss of state.",
    registers,
  });
  const swept = new Counter({
    name: "clientela_deadlines_swept_total",
    help: "Customers whose deadlines were applied because time passed.",
    registers,
  });
  const cached = new Counter({
    name: "clientela_cache_lookups_total",
    help: "Customers looked for in memory, by result.",
    labelNames: ["result"],
    registers,
  });
  const loop = monitorEventLoopDelay({ resolution: 10 });
  loop.enable();
  new Gauge({
    name: "clientela_thread_lag_seconds",
    help: "Longest that one thing kept a processor thread from all others, heartbeats too, since the last scrape.",
    aggregator: "max",
    registers,
    collect() {
      this.set(loop.max / 1e9);
      loop.reset();
    },
  });
  const phases = new Map<number, ShardPhase>();
  for (const phase of PHASES) shards.set({ phase }, 0);
  // A series that begins with its first event hides that event from rate() and increase(): what alerts ask for begins at zero.
  for (const reason of DEAD_LETTER_REASONS) deadLetters.inc({ reason }, 0);
  for (const path of PATHS) acquired.zero({ path });
  const telemetry: Telemetry = {
    events: (topic, outcome, count) => events.inc({ topic, outcome }, count),
    lag: (shard, topic, records) => lag.set({ shard, topic }, records),
    deadlineLateness: (seconds) => {
      // Deadlines of the past, met on a first start or after a long stop, say nothing of how punctual this process is.
      if (seconds <= 3600) lateness.observe(seconds);
    },
    changes: (axis, cause, origin, count) => changes.inc({ axis, cause, origin }, count),
    deadLetter: (reason) => deadLetters.inc({ reason }),
    commit: (step, seconds) => commit.observe({ step }, seconds),
    batch: (records) => batch.observe(records),
    shard: (shard, phase) => {
      const before = phases.get(shard);
      if (before !== undefined) shards.dec({ phase: before });
      if (phase === "released") {
        phases.delete(shard);
        // Its lag is the successor's to tell.
        for (const topic of FACT_TOPICS) lag.remove({ shard, topic });
      } else {
        phases.set(shard, phase);
        shards.inc({ phase });
      }
    },
    acquired: (seconds, path) => acquired.observe({ path }, seconds),
    refolded: (records) => refolded.inc(records),
    sweep: (customers) => swept.inc(customers),
    cache: (hits, misses) => {
      cached.inc({ result: "hit" }, hits);
      cached.inc({ result: "miss" }, misses);
    },
  };
  return { telemetry, registry };
}
