import { writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { join } from "node:path";
import { threadId } from "node:worker_threads";

/**
 * To be loaded with `--import` into a process, and so into each of its threads: samples what is allocated on the heap from the start
 * to the thread's end, and then writes it to BENCH_ALLOCATIONS_DIR. Node's own --heap-prof forgets what was collected since.
 */
const dir = process.env["BENCH_ALLOCATIONS_DIR"];
if (dir === undefined) throw new Error("BENCH_ALLOCATIONS_DIR is not set");

/** One sample for so many bytes, on average. */
const SAMPLING_BYTES = 131_072;

const session = new Session();
session.connect();
const options = {
  samplingInterval: SAMPLING_BYTES,
  includeObjectsCollectedByMajorGC: true,
  includeObjectsCollectedByMinorGC: true,
};
session.post("HeapProfiler.startSampling", options);
process.once("exit", () => {
  session.post("HeapProfiler.stopSampling", (error, result) => {
    if (error !== null) throw error;
    writeFileSync(join(dir, `${threadId}.heapprofile`), JSON.stringify(result.profile));
  });
});
