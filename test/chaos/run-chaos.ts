import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withAdmin } from "../../src/app/admin.ts";
import type { Servers } from "../../src/app/compose-kafka.ts";
import { readSettings, serversOf } from "../../src/app/settings.ts";
import { setup } from "../../src/app/setup.ts";
import { INPUT_TOPICS } from "../../src/domain/events.ts";
import { Adversary } from "./adversary.ts";
import type { Break } from "./breaks.ts";
import { Chronicle, type Deed } from "./chronicle.ts";
import { plannedFacts } from "./facts.ts";
import { Fleet } from "./fleet.ts";
import { Ledger } from "./ledger.ts";
import { describeDeed, planOf } from "./plan.ts";
import { POLICY_FILE } from "./policy.ts";
import { FactProducer } from "./producer.ts";
import { QUIET } from "./quiet.ts";
import { readRedis } from "./read-redis.ts";
import { readTopics } from "./read-topics.ts";
import type { Violation } from "./observed.ts";
import { ChaosServers } from "./servers.ts";
import { until } from "./until.ts";
import { verify, type Verdict } from "./verify.ts";

export interface ChaosOptions {
  readonly seed: number;
  /** How long facts are sent and the adversary is at work. */
  readonly durationMs: number;
  readonly processes: number;
  /** A new folder for data, logs and the report. */
  readonly dir: string;
  readonly breaks: Break | null;
  /** See PlanOptions. */
  readonly isFocused: boolean;
  /** Ends the run, its processes and its servers. */
  readonly signal: AbortSignal;
  readonly onDeed: (deed: Deed) => void;
  readonly onProgress: (text: string) => void;
}

/** What came of a run. */
export interface ChaosReport {
  readonly seed: number;
  readonly verdict: Verdict;
  readonly violations: readonly Violation[];
  /** How often what happened, by name. */
  readonly counts: ReadonlyMap<string, number>;
  readonly wallMs: number;
  readonly chronicle: Chronicle;
}

const PARTITIONS = 8;
const APPLICATION_ID = "chaos";
const START_MS = 90_000;
/** When all is well again, what waits must be gone within this. */
const CATCH_UP_MS = 120_000;
const POLL_MS = 250;
/** A deadline is applied within this when nothing is in the way (A5). */
const SWEEP_MS = 3_000;
const STORIES_PER_SECOND = 8;
const MIXED_PER_SECOND = 30;

/** One run of the harness: servers, facts, processes and adversary; then peace, and the verdict. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, durationMs, processes, dir, onProgress } = options;
  mkdirSync(dir, { recursive: true });
  const startedAt = Date.now();
  const servers = await ChaosServers.start(join(dir, "servers"), processes, onProgress);
  const policyFile = join(dir, "policy.json");
  writeFileSync(policyFile, JSON.stringify(POLICY_FILE, null, 2));
  const env = {
    CLIENTELA_APPLICATION_ID: APPLICATION_ID,
    CLIENTELA_POLICY_FILE: policyFile,
    CLIENTELA_HTTP_PORT: "0",
    CLIENTELA_THREADS: "1",
  };
  let fleet: Fleet | null = null;
  const interrupted = new Promise<never>((_, reject) => {
    options.signal.addEventListener("abort", () => reject(new Error("the run was interrupted")));
  });
  interrupted.catch(() => undefined);
  try {
    const direct = serversOf(readSettings({ ...env, ...servers.direct }));
    await setup({
      servers: direct,
      partitions: PARTITIONS,
      replicationFactor: 1,
      changesRetentionMs: 30 * 86_400_000,
      logger: QUIET,
    });
    const chronicle = new Chronicle(join(dir, "chronicle.log"), options.onDeed);
    const ledger = new Ledger();
    const producer = await FactProducer.create(direct, ledger, chronicle, PARTITIONS);
    const through = (place: number): Readonly<Record<string, string>> => servers.through(place);
    fleet = new Fleet({ dir, size: processes, env, through, breaks: options.breaks }, chronicle);
    const { places, mortalPlaces } = fleet;
    const isFocused = options.isFocused;
    const plan = planOf({ seed, durationMs, places, mortalPlaces, partitions: PARTITIONS, isFocused });
    writeFileSync(
      join(dir, "plan.log"),
      plan.map(({ at, deed }) => `${(at / 1000).toFixed(3).padStart(9)} ${describeDeed(deed)}\n`).join(""),
    );
    const adversary = new Adversary({
      fleet,
      servers,
      producer,
      chronicle,
      applicationId: APPLICATION_ID,
      partitions: PARTITIONS,
    });
    fleet.startAll();
    const running = fleet;
    await Promise.race([
      interrupted,
      until("all processes", START_MS, async () => (await running.troubles()).length === 0),
    ]);
    chronicle.begin();
    const facts = plannedFacts({
      seed,
      startedAt: chronicle.startedAt,
      durationMs,
      storiesPerSecond: STORIES_PER_SECOND,
      mixedPerSecond: MIXED_PER_SECOND,
    });
    await Promise.race([interrupted, Promise.all([producer.run(facts), adversary.run(plan)])]);
    chronicle.tell("the adversary rests");
    await servers.clearWays();
    fleet.heal();
    const caughtUp = untilCaughtUp(
      fleet,
      servers,
      serversOf(readSettings({ ...env, ...servers.direct })),
      () => adversary.mend(),
    );
    const troubles = await Promise.race([interrupted, caughtUp]);
    const appliedThrough = Date.now() - SWEEP_MS;
    chronicle.tell(troubles.length === 0 ? "all is caught up" : `not caught up: ${troubles.join("; ")}`);
    const wrongEnds = await fleet.stop();
    chronicle.count("records folded again", fleet.refolded);
    countLogs(fleet.logs, chronicle);

    onProgress("reading what is there");
    const [topics, redis] = [
      await readTopics(direct),
      await readRedis(servers.redis.port, APPLICATION_ID, PARTITIONS),
    ];
    onProgress("comparing it with the reference");
    const verdict = verify({ ledger: ledger.entries, topics, redis, partitions: PARTITIONS, appliedThrough });
    const violations = [
      ...[...fleet.violations, ...wrongEnds].map((found) => general("process", found)),
      ...troubles.map((found) => general("lag that does not end", found)),
      ...verdict.violations,
    ];
    return { seed, verdict, violations, counts: chronicle.counts, wallMs: Date.now() - startedAt, chronicle };
  } finally {
    fleet?.destroy();
    await servers.stop();
  }
}

function general(kind: string, found: string): Violation {
  return { kind, customerId: null, expected: null, found, at: null };
}

/** Waits until every input is folded and committed and no deadline waits. Returns what still does after a long time. */
async function untilCaughtUp(
  fleet: Fleet,
  servers: ChaosServers,
  direct: Servers,
  mend: () => Promise<void>,
): Promise<string[]> {
  const deadline = Date.now() + CATCH_UP_MS;
  let quiet = 0;
  for (;;) {
    await mend();
    const troubles = [
      ...(await fleet.troubles()),
      ...(await lagOf(direct).catch((error: unknown) => [String(error)])),
    ];
    if (troubles.length === 0) troubles.push(...(await overdueOf(servers)));
    // Twice in a row, so that nothing was just on its way from one shard to another.
    quiet = troubles.length === 0 ? quiet + 1 : 0;
    if (quiet >= 8) return [];
    if (Date.now() > deadline) return troubles.length === 0 ? ["it comes and goes"] : troubles;
    await sleep(POLL_MS);
  }
}

/** Records of the inputs that the group has not committed. */
async function lagOf(servers: Servers): Promise<string[]> {
  const topics = INPUT_TOPICS.map((topic) => servers.topicPrefix + topic);
  return withAdmin(servers, QUIET, "asking for the lag", async (admin) => {
    const committed = await admin.fetchOffsets({ groupId: servers.applicationId, topics });
    const lagging: string[] = [];
    for (const { topic, partitions } of committed) {
      for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
        const offset = Number(partitions.find((each) => each.partition === partition)?.offset ?? -1);
        if (Math.max(0, offset) < Number(high))
          lagging.push(`${topic}-${partition} is committed up to ${offset} of ${high}`);
      }
    }
    return lagging;
  });
}

async function overdueOf(servers: ChaosServers): Promise<string[]> {
  const { shards } = await readRedis(servers.redis.port, APPLICATION_ID, PARTITIONS);
  const now = Date.now();
  return shards.flatMap(({ shard, deadlines }) => {
    const overdue = [...deadlines.values()].filter((at) => at < now - SWEEP_MS).length;
    return overdue === 0 ? [] : [`shard ${shard} has ${overdue} deadlines that are past`];
  });
}

/** What the processes said of their shards. */
function countLogs(logs: readonly string[], chronicle: Chronicle): void {
  for (const log of logs) {
    for (const line of readFileSync(log, "utf8").split("\n")) {
      const path = /"path":"(\w+)".*"shard acquired"/.exec(line)?.[1];
      if (path !== undefined) chronicle.count(`acquired ${path}`);
      const code = /"code":"(\w+)".*"shard lost its footing/.exec(line)?.[1];
      if (code !== undefined) chronicle.count(`footing lost: ${code}`);
    }
  }
}
