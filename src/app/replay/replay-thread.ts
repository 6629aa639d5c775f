import { parentPort, workerData } from "node:worker_threads";
import { policyFromText } from "../policy-file.ts";
import type { PartJob, PartReply, ThreadData } from "./crew.ts";
import { PartReplayer } from "./replay-part.ts";

/** Replays parts in a thread of its own: started by `crew.ts`, one job at a time. */

const port = parentPort;
if (port === null) throw new Error("this module runs as a worker thread");
const { policyText, files, outputs } = workerData as ThreadData;
const replayer = new PartReplayer({ policy: policyFromText(policyText), files, outputs });

port.on("message", ({ kind, pieces, asOf }: PartJob) => {
  if (kind === "referrals") {
    port.postMessage({ kind, given: replayer.referrals(pieces, asOf) } satisfies PartReply);
    return;
  }
  const result = replayer.replay(pieces, asOf);
  const buffers = Object.values(result.runs).flatMap((runs) => runs.map(({ buffer }) => buffer));
  port.postMessage({ kind, result } satisfies PartReply, buffers);
});
