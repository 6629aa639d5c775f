import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import { replayedChanges } from "../replayed.ts";
import { makeTopics, SHARDS } from "./fill-topics.ts";
import { acquisitions, endAll, startInstance, type Instance, type LogLine } from "./instance.ts";
import type { BenchSize } from "./main.ts";
import { followChanges, type Published } from "./published.ts";
import { quantile, spread } from "./spread.ts";
import { onStage, type Say, type Stage } from "./stage.ts";
import { startLoad } from "./steady-load.ts";

/** Events a second, where none are asked for. */
const RATE = 4_000;
const WARM_MS = 8_000;
/** Between one instance that is back and the next that goes, as a cautious operator would. */
const REST_MS = 5_000;
const REST_OF_CHANGES_MS = 60_000;

/** One instance stopped and started again. */
interface Restart {
  readonly beganAt: number;
  readonly endedAt: number;
  readonly stopMs: number;
  readonly exit: number | string | null;
  /** Shards that had to go to others and back. */
  readonly minimumMoves: number;
  readonly moves: number;
  readonly rebalances: number;
}

/**
 * Several processors under a steady load, each stopped by SIGTERM and started again in turn. A shard's pause is what a subscriber
 * sees: from the last change that its former owner sent to the first that its next one did.
 */
export function benchRollingRestart(size: BenchSize, say: Say): Promise<object> {
  if (size.instances < 2) throw new Error("somebody must take the shards over: --instances 2 or more");
  return onStage(say, async (stage) => {
    const running: Instance[] = [];
    stage.later(() => endAll(running));
    return restartInTurn(stage, running, size, say);
  });
}

async function restartInTurn(
  stage: Stage,
  running: Instance[],
  { instances: count, rate, customers }: BenchSize,
  say: Say,
): Promise<object> {
  const env = { ...stage.env, CLIENTELA_APPLICATION_ID: "rolling" };
  const servers = serversOf(readSettings(env));
  const eventsPerSecond = rate ?? RATE;
  await makeTopics(servers, SHARDS);
  for (let i = 0; i < count; i++) running.push(startInstance(env));
  const all = [...running];
  await Promise.all(running.map((instance) => instance.ready()));
  const published = await followChanges(servers, SHARDS);
  stage.later(() => published.stop());
  const file = join(stage.dir, "events.jsonl");
  const source = { kind: "orders", customers } as const;
  const load = await startLoad({ servers, shards: SHARDS, source, eventsPerSecond, file });
  stage.later(() => load.stop());
  await sleep(WARM_MS);

  const restarts: Restart[] = [];
  for (let i = 0; i < count; i++) {
    restarts.push(await restart(i, running, all, env));
    say(`restart ${i + 1}: ${JSON.stringify(restarts.at(-1))}`);
  }
  const { sent } = await load.stop();
  const expected = await expectedChanges(file);
  await until(() => published.seen.size >= expected.size, REST_OF_CHANGES_MS);
  const sum = (of: (one: Restart) => number): number => restarts.reduce((total, each) => total + of(each), 0);
  const lags = await Promise.all(running.map((each) => each.metric("clientela_thread_lag_seconds")));
  const gaps = restarts.map((each) => gapsOf(each, all, published));
  return {
    instances: count,
    eventsPerSecond,
    events: sent,
    threads: process.env["CLIENTELA_THREADS"] ?? "auto",
    pauseMs: spread(gaps.flatMap(({ moved }) => moved.map(({ pauseMs }) => pauseMs))),
    /** Of the pause: until the next owner was told that the shard is its own, until it had it, until its first change. */
    pausePartsP50Ms: {
      assigned: partOf(gaps, (pause) => pause.assignedAfterMs),
      acquired: partOf(gaps, (pause) => pause.acquiredAfterMs),
      firstChange: partOf(gaps, (pause) => pause.firstAfterMs),
    },
    /** The same moments, for shards that stay where they are: the longest wait between two of their changes. */
    keptMs: spread(gaps.flatMap(({ kept }) => kept)),
    stopMs: spread(restarts.map(({ stopMs }) => stopMs)),
    threadLagMaxSeconds: Math.max(...lags.map((lag) => lag ?? NaN)),
    exits: restarts.map(({ exit }) => exit),
    rebalances: sum(({ rebalances }) => rebalances),
    moves: sum(({ moves }) => moves),
    minimumMoves: sum(({ minimumMoves }) => minimumMoves),
    changes: judge(published, expected),
  };
}

async function restart(
  i: number,
  running: Instance[],
  all: Instance[],
  env: NodeJS.ProcessEnv,
): Promise<Restart> {
  const leaving = running[i];
  if (leaving === undefined) throw new Error(`there is no instance ${i}`);
  const heldBefore = shardsOf(leaving, all);
  const beganAt = Date.now();
  leaving.process.kill("SIGTERM");
  const exit = await leaving.ended;
  const stopMs = Date.now() - beganAt;
  const returning = startInstance(env);
  running[i] = returning;
  all.push(returning);
  await returning.ready();
  await sleep(REST_MS);
  const endedAt = Date.now();
  const heldAfter = shardsOf(returning, all);
  const others = running.filter((instance) => instance !== returning);
  const rebalances = Math.max(...others.flatMap((instance) => joinsOfEachMember(instance, beganAt)));
  return {
    beganAt,
    endedAt,
    stopMs,
    exit,
    // Back within the rebalance of its leave: its shards have moved once.
    minimumMoves: heldBefore.length + (rebalances > 1 ? heldAfter.length : 0),
    moves: all.flatMap(({ lines }) => acquisitions(lines)).filter(({ at }) => at >= beganAt).length,
    rebalances,
  };
}

/** Shards whose last acquirer it is. */
function shardsOf(instance: Instance, all: readonly Instance[]): number[] {
  const last = new Map<number, { at: number; by: Instance }>();
  for (const by of all) {
    for (const { shard, at } of acquisitions(by.lines)) {
      if (at >= (last.get(shard)?.at ?? 0)) last.set(shard, { at, by });
    }
  }
  return [...last].filter(([, { by }]) => by === instance).map(([shard]) => shard);
}

function joinsOfEachMember({ lines }: Instance, since: number): number[] {
  const joins = new Map<unknown, number>([[null, 0]]);
  for (const { msg, at, fields } of lines) {
    if (msg !== "shards assigned" || at < since) continue;
    joins.set(fields["member"], (joins.get(fields["member"]) ?? 0) + 1);
  }
  return [...joins.values()];
}

/** A hand-over of a shard as subscribers see it, and its parts. */
interface Pause {
  readonly pauseMs: number;
  readonly assignedAfterMs: number;
  readonly acquiredAfterMs: number;
  readonly firstAfterMs: number;
}

function partOf(
  gaps: readonly { readonly moved: readonly Pause[] }[],
  part: (pause: Pause) => number,
): number | null {
  return quantile(
    gaps.flatMap(({ moved }) => moved.map(part)),
    0.5,
  );
}

/** Pauses of the shards that moved, each hand-over once, and the longest gap of each that did not. */
function gapsOf(
  { beganAt, endedAt }: Restart,
  all: readonly Instance[],
  { sentAt }: Published,
): { readonly moved: Pause[]; readonly kept: number[] } {
  const acquired = all.flatMap(({ lines }) =>
    acquisitions(lines)
      .filter(({ at }) => at >= beganAt && at < endedAt)
      .map(({ shard, at }) => ({ shard, at, assignedAt: assignedBefore(lines, shard, at) })),
  );
  const moved: Pause[] = [];
  const kept: number[] = [];
  for (const [shard, times] of sentAt.entries()) {
    const handOvers = acquired.filter((each) => each.shard === shard);
    if (handOvers.length === 0) {
      const within = times.filter((at) => at >= beganAt && at < endedAt);
      kept.push(Math.max(...within.slice(1).map((at, i) => at - (within[i] ?? NaN))));
      continue;
    }
    // Who acquires sends only after it: the first change after one is the new owner's.
    const firsts = new Map(handOvers.map((each) => [times.findIndex((time) => time >= each.at), each]));
    for (const [first, { at, assignedAt }] of firsts) {
      const [lastAt = NaN, firstAt = NaN] = times.slice(first - 1, first + 1);
      moved.push({
        pauseMs: firstAt - lastAt,
        assignedAfterMs: assignedAt - lastAt,
        acquiredAfterMs: at - assignedAt,
        firstAfterMs: firstAt - at,
      });
    }
  }
  return { moved, kept };
}

/** When the process was last told that the shard is its own. */
function assignedBefore(lines: readonly LogLine[], shard: number, at: number): number {
  const told = lines.filter(
    (line) =>
      line.msg === "shards assigned" && line.at <= at && (line.fields["shards"] as number[]).includes(shard),
  );
  return told.at(-1)?.at ?? NaN;
}

/** The changeIds that the same events come to without any interruption: the ids follow from the facts alone (S8). */
export async function expectedChanges(file: string): Promise<Set<string>> {
  const changes = await replayedChanges(file);
  return new Set(changes.flatMap(([, change]) => change?.changeId ?? []));
}

/** What was published against what had to be. Throws when a change is missing, is there twice, or should not be there. */
export function judge({ seen }: Published, expected: ReadonlySet<string>): object {
  const lost = [...expected].filter((id) => !seen.has(id));
  const doubled = [...seen].filter(([, times]) => times > 1);
  const unknown = [...seen.keys()].filter((id) => !expected.has(id));
  const figures = {
    expected: expected.size,
    seen: seen.size,
    lost: lost.length,
    doubled: doubled.length,
    unknown: unknown.length,
  };
  if (lost.length + doubled.length + unknown.length > 0) {
    throw new Error(
      `changes are lost, doubled or wrong: ${JSON.stringify(figures)}, such as ${[...lost, ...doubled.flat(), ...unknown].slice(0, 3).join(", ")}`,
    );
  }
  return figures;
}

async function until(isSo: () => boolean, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  // Whether it came in time is judged by what was seen.
  while (!isSo() && Date.now() < deadline) await sleep(100);
  await sleep(1_000);
}
