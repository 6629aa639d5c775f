import { parentPort, workerData } from "node:worker_threads";
import { policyFromText } from "../policy-file.ts";
import type { PartJob, PartReply, ThreadData } from "./crew.ts";
import { referralsOfPart, replayPart } from "./replay-part.ts";

/** Replays parts in a thread of its own: started by `crew.ts`, one job at a time. */

const port = parentPort;
if (port === null) throw new Error("this module runs as a worker thread");
const { policyText, files, outputs } = workerData as ThreadData;
const policy = policyFromText(policyText);

port.on("message", ({ kind, pieces, asOf }: PartJob) => {
  const terms = { policy, files, outputs, asOf };
  if (kind === "referrals") {
    port.postMessage({ kind, given: referralsOfPart(pieces, terms) } satisfies PartReply);
    return;
  }
  const result = replayPart(pieces, terms);
  const buffers = Object.values(result.runs).flatMap((runs) => runs.map(({ buffer }) => buffer));
  port.postMessage({ kind, result } satisfies PartReply, buffers);
});
