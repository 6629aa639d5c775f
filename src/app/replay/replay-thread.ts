import { parentPort, workerData } from "node:worker_threads";
import { policyFromText } from "../policy-file.ts";
import type { Job, Reply, ThreadData } from "./crew.ts";
import { PartReplayer } from "./replay-part.ts";

/** Replays parts in a thread of its own: started by `crew.ts`, one job at a time. */

const port = parentPort;
if (port === null) throw new Error("this module runs as a worker thread");
const { policyText, files, outputs } = workerData as ThreadData;
const replayer = new PartReplayer({ policy: policyFromText(policyText), files, outputs });

port.on("message", (job: Job) => {
  const reply = answer(job);
  port.postMessage(reply, buffersOf(reply));
});

function answer(job: Job): Reply {
  switch (job.kind) {
    case "referrals":
      return { kind: job.kind, given: replayer.referrals(job.pieces, job.asOf) };
    case "replay":
      return { kind: job.kind, result: replayer.replay(job.pieces, job.asOf) };
    case "rest":
      return { kind: job.kind, runs: replayer.rest() };
  }
}

/** What of a reply changes hands and is not copied. */
function buffersOf(reply: Reply): ArrayBuffer[] {
  if (reply.kind === "referrals") return [];
  const runs = reply.kind === "replay" ? reply.result.runs : reply.runs;
  return Object.values(runs).flatMap((of) => of.map(({ buffer }) => buffer));
}
