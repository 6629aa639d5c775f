import { readSettings, serversOf } from "../../src/app/settings.ts";
import { runBacklog, type BacklogFigures } from "./backlog-run.ts";
import { fillTopics, SHARDS } from "./fill-topics.ts";
import type { BenchSize } from "./main.ts";
import { medians, ratio } from "./medians.ts";
import { runPeer, type PeerFigures } from "./peer.ts";
import { stateBytes } from "./redis-bytes.ts";
import { onStage, type Say, type Stage } from "./stage.ts";

interface Run extends BacklogFigures {
  readonly redisBytesPerCustomer: number;
}

interface PairedRun {
  readonly own: Run;
  readonly peer: PeerFigures | null;
}

/**
 * A backlog of all four topics through `run` processes, exactly once, from its first committed offset to its last: broker,
 * registry and Redis on the same machine. Each run is a fresh application id on the same topics. With `against`, each is followed by
 * one of the peer on the same broker.
 */
export function benchLive(size: BenchSize, say: Say): Promise<object> {
  return onStage(say, async (stage) => {
    const { events, customers, runs, against } = size;
    const servers = serversOf(readSettings(stage.env));
    await fillTopics({ servers, partitions: SHARDS, events, customers });
    const measured: PairedRun[] = [];
    for (let run = 0; run < runs; run++) {
      const own = await liveOnce(stage, `bench-${run}`, size);
      say(`live, run ${run + 1}: ${JSON.stringify(own)}`);
      const peer =
        against === null ? null : await runPeer(against, stage, { events, customers, partitions: SHARDS });
      if (peer !== null) say(`peer, run ${run + 1}: ${JSON.stringify(peer)}`);
      measured.push({ own, peer });
    }
    const { cpuMicros, ...figures } = medians(measured.map(({ own }) => own));
    return { ...figures, cpuMicrosPerEvent: cpuMicros, ...comparison(measured) };
  });
}

async function liveOnce(
  { env, dir }: Stage,
  applicationId: string,
  { events, instances }: BenchSize,
): Promise<Run> {
  const { inspected, ...figures } = await runBacklog({ env, dir, applicationId, instances, events }, () =>
    stateBytes(String(env["REDIS_URL"]), applicationId),
  );
  return { ...figures, redisBytesPerCustomer: Math.round(inspected.bytes / inspected.customers) };
}

/** Both were measured by turns, so that what the machine did to one it did to the other: the ratios are medians of the pairs'. */
function comparison(measured: readonly PairedRun[]): object {
  const pairs = measured.flatMap(({ own, peer }) => (peer === null ? [] : [{ own, peer }]));
  if (pairs.length === 0) return {};
  return {
    peer: medians(pairs.map(({ peer }) => peer)),
    ofPeer: medians(
      pairs.map(({ own, peer }) => ({
        eventsPerSecond: ratio(own.eventsPerSecond, peer.eventsPerSecond),
        cpuMicrosPerEvent: ratio(own.cpuMicros["all"] ?? NaN, peer.cpuMicrosPerEvent.all),
      })),
    ),
  };
}
