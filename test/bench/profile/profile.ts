import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readSettings, serversOf } from "../../../src/app/settings.ts";
import { runBacklog } from "../backlog-run.ts";
import { fillTopics, SHARDS } from "../fill-topics.ts";
import type { Instance } from "../instance.ts";
import type { BenchSize } from "../main.ts";
import { onStage, type Say, type Stage } from "../stage.ts";
import { aggregate } from "./aggregate.ts";
import { profileFigures, type ProfiledCpu } from "./profile-figures.ts";
import { threadSeconds } from "./thread-cpu.ts";
import { allocationTree, cpuTree, type AllocationNode, type CpuProfile } from "./v8-profiles.ts";

const ROOT = join(import.meta.dirname, "../../..");
const SAMPLER = pathToFileURL(join(import.meta.dirname, "sample-allocations.ts")).href;

interface Backlog {
  readonly stage: Stage;
  readonly events: number;
}

/**
 * Where the CPU and the allocations of an event go: the backlog of `live` through one `run` process, once with V8's CPU profiler in
 * every thread, once with its sampling of allocations. The profiler's samples say what each function has of the CPU that the
 * threads used by the system's account, since their own clock counts waiting for a core too.
 */
export function benchProfile({ events, customers }: BenchSize, say: Say): Promise<object> {
  return onStage(say, async (stage) => {
    const servers = serversOf(readSettings(stage.env));
    await fillTopics({ servers, partitions: SHARDS, events, customers });
    const cpu = await profiledCpu({ stage, events });
    say(`${cpu.events} events profiled`);
    const allocated = await profiledAllocations({ stage, events });
    return profileFigures(cpu, allocated, events);
  });
}

interface Edge {
  /** Microseconds of the clock of `process.hrtime`. */
  readonly at: number;
  readonly committed: number;
  readonly seconds: ReturnType<typeof threadSeconds>;
}

/** Of the measured part alone: what came before it is compiled and connected meanwhile. */
async function profiledCpu({ stage, events }: Backlog): Promise<ProfiledCpu> {
  const { dir } = stage;
  const profiles = join(dir, "cpu");
  const env = withNodeArgs(stage.env, ["--cpu-prof", `--cpu-prof-dir=${profiles}`]);
  const edges: Edge[] = [];
  const onEdge = ([instance]: readonly Instance[], committed: number): void => {
    const at = Number(process.hrtime.bigint() / 1000n);
    edges.push({ at, committed, seconds: threadSeconds(instance?.process.pid ?? 0) });
  };
  await runBacklog({ env, dir, applicationId: "profile-cpu", instances: 1, events, onEdge }, nothing);
  const [first, last] = edges;
  if (first === undefined || last === undefined) throw new Error("the run had no beginning and end");
  const trees = jsonFilesOf<CpuProfile>(profiles).map((each) =>
    cpuTree(each, { from: first.at, to: last.at }),
  );
  return {
    events: last.committed - first.committed,
    seconds: new Map(
      [...last.seconds].map(([thread, total]) => [thread, total - (first.seconds.get(thread) ?? 0)]),
    ),
    samples: aggregate(trees, ROOT),
  };
}

/** Of the whole run: samples of allocations have no time. */
async function profiledAllocations({ stage, events }: Backlog): Promise<ReturnType<typeof aggregate>> {
  const { dir } = stage;
  const profiles = join(dir, "allocations");
  mkdirSync(profiles);
  const env = withNodeArgs({ ...stage.env, BENCH_ALLOCATIONS_DIR: profiles }, ["--import", SAMPLER]);
  await runBacklog({ env, dir, applicationId: "profile-allocations", instances: 1, events }, nothing);
  const trees = jsonFilesOf<{ readonly head: AllocationNode }>(profiles).map(({ head }) =>
    allocationTree(head),
  );
  return aggregate(trees, ROOT);
}

const nothing = (): Promise<void> => Promise.resolve();

function withNodeArgs(env: NodeJS.ProcessEnv, args: readonly string[]): NodeJS.ProcessEnv {
  return { ...env, BENCH_NODE_ARGS: [env["BENCH_NODE_ARGS"] ?? "", ...args].join(" ").trim() };
}

/** One of each thread: a process with a single one has not done the work that is asked about. */
function jsonFilesOf<T>(dir: string): T[] {
  const files = readdirSync(dir);
  if (files.length < 2) throw new Error(`there are profiles of ${files.length} threads only`);
  return files.map((name) => JSON.parse(readFileSync(join(dir, name), "utf8")) as T);
}
