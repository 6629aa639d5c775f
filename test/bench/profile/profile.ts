import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readSettings, serversOf } from "../../../src/app/settings.ts";
import { stackDown, stackUp } from "../../../src/app/stack/stack.ts";
import { fillTopics } from "../fill-topics.ts";
import { backlogRun } from "../live.ts";
import type { BenchSize } from "../main.ts";
import { aggregate } from "./aggregate.ts";
import { profileFigures, type ProfiledCpu } from "./profile-figures.ts";
import { threadSeconds } from "./thread-cpu.ts";
import { allocationTree, cpuTree, type AllocationNode, type CpuProfile } from "./v8-profiles.ts";

const ROOT = join(import.meta.dirname, "../../..");
const SAMPLER = pathToFileURL(join(import.meta.dirname, "sample-allocations.ts")).href;
const SHARDS = 8;

interface Backlog {
  readonly env: NodeJS.ProcessEnv;
  readonly dir: string;
  readonly events: number;
}

/**
 * Where the CPU and the allocations of an event go: the backlog of `live` through one `run` process, once with V8's CPU profiler in
 * every thread, once with its sampling of allocations. The profiler's samples say what each function has of the CPU that the
 * threads used by the system's account, since their own clock counts waiting for a core too.
 */
export async function benchProfile(
  { events, customers }: BenchSize,
  say: (text: string) => void,
): Promise<object> {
  const dir = mkdtempSync(join(tmpdir(), "clientela-bench-"));
  const endpoints = await stackUp(dir, say);
  try {
    const env = { ...process.env, ...endpoints };
    const servers = serversOf(readSettings(env));
    await fillTopics({ servers, dir, partitions: SHARDS, events, customers }, say);
    const backlog = { env, dir, events };
    const cpu = await profiledCpu(backlog);
    say(`${cpu.events} events profiled`);
    const allocated = await profiledAllocations(backlog);
    return profileFigures(cpu, allocated, events);
  } finally {
    await stackDown(dir);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Of the measured part alone: what came before it is compiled and connected meanwhile. */
async function profiledCpu({ env, dir, events }: Backlog): Promise<ProfiledCpu> {
  const profiles = join(dir, "cpu");
  const edges: {
    readonly at: number;
    readonly committed: number;
    readonly seconds: ReturnType<typeof threadSeconds>;
  }[] = [];
  await backlogRun(
    withNodeArgs(env, ["--cpu-prof", `--cpu-prof-dir=${profiles}`]),
    dir,
    "profile-cpu",
    events,
    (pid, committed) =>
      edges.push({ at: Number(process.hrtime.bigint() / 1000n), committed, seconds: threadSeconds(pid) }),
  );
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
async function profiledAllocations({ env, dir, events }: Backlog): Promise<ReturnType<typeof aggregate>> {
  const profiles = join(dir, "allocations");
  mkdirSync(profiles);
  const sampled = withNodeArgs({ ...env, BENCH_ALLOCATIONS_DIR: profiles }, ["--import", SAMPLER]);
  await backlogRun(sampled, dir, "profile-allocations", events);
  const trees = jsonFilesOf<{ readonly head: AllocationNode }>(profiles).map(({ head }) =>
    allocationTree(head),
  );
  return aggregate(trees, ROOT);
}

function withNodeArgs(env: NodeJS.ProcessEnv, args: readonly string[]): NodeJS.ProcessEnv {
  return { ...env, BENCH_NODE_ARGS: [env["BENCH_NODE_ARGS"] ?? "", ...args].join(" ").trim() };
}

/** One of each thread: a process with a single one has not done the work that is asked about. */
function jsonFilesOf<T>(dir: string): T[] {
  const files = readdirSync(dir);
  if (files.length < 2) throw new Error(`there are profiles of ${files.length} threads only`);
  return files.map((name) => JSON.parse(readFileSync(join(dir, name), "utf8")) as T);
}
