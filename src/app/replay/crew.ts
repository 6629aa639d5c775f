import { extname } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import type { Piece } from "../../adapters/embedded/scratch.ts";
import type { Policy } from "../../domain/policy.ts";
import type { Instant } from "../../shared/instant.ts";
import { policyText } from "../policy-file.ts";
import type { GivenReferral } from "./customer-replay.ts";
import { PartReplayer, type Output, type PartResult, type Runs } from "./replay-part.ts";

export interface ThreadData {
  readonly policyText: string;
  readonly files: readonly string[];
  readonly outputs: readonly Output[];
}

export type Job =
  | {
      readonly kind: "referrals" | "replay";
      readonly pieces: readonly Piece[];
      readonly asOf: Instant;
    }
  | { readonly kind: "rest" };

export type Reply =
  | { readonly kind: "referrals"; readonly given: readonly GivenReferral[] }
  | { readonly kind: "replay"; readonly result: PartResult }
  | { readonly kind: "rest"; readonly runs: Runs };

/** Who replays the parts. */
export interface Crew {
  /** How many parts are worked on at once. */
  readonly size: number;
  referrals(pieces: readonly Piece[], asOf: Instant): Promise<readonly GivenReferral[]>;
  replay(pieces: readonly Piece[], asOf: Instant): Promise<PartResult>;
  /** The lines that no run had yet, of each who replayed: when all parts are done. */
  rest(): Promise<readonly Runs[]>;
  stop(): Promise<void>;
}

/** What a thread needs for a part's customers is young; more than fits a cache does not pay. */
const YOUNG_GENERATION_MIB = 32;

/** This thread alone: what is small is done before others have started. */
export function crewOfOne(policy: Policy, files: readonly string[], outputs: readonly Output[]): Crew {
  const replayer = new PartReplayer({ policy, files, outputs });
  return {
    size: 1,
    referrals: (pieces, asOf) => Promise.resolve(replayer.referrals(pieces, asOf)),
    replay: (pieces, asOf) => Promise.resolve(replayer.replay(pieces, asOf)),
    rest: () => Promise.resolve([replayer.rest()]),
    stop: () => Promise.resolve(),
  };
}

/** So many threads of their own. */
export function crewOfThreads(
  size: number,
  policy: Policy,
  files: readonly string[],
  outputs: readonly Output[],
): Crew {
  // Each thread has a core of its own: helpers would wait for one, and the thread for its helpers, some milliseconds each time.
  setFlagsFromString("--no-parallel-scavenge");
  const data: ThreadData = { policyText: policyText(policy), files, outputs };
  const threads = Array.from({ length: size }, () => startThread(data));
  const idle = [...threads];
  const askThread = async (thread: Thread, job: Job): Promise<Reply> => {
    const reply = new Promise<Reply>((resolve) => thread.worker.once("message", resolve));
    thread.worker.postMessage(job);
    return Promise.race([reply, thread.failed]);
  };
  const ask = async (job: Job): Promise<Reply> => {
    const thread = idle.pop();
    if (thread === undefined) throw new Error(`more than ${size} parts at once`);
    const reply = await askThread(thread, job);
    idle.push(thread);
    return reply;
  };
  return {
    size,
    async referrals(pieces, asOf) {
      const reply = await ask({ kind: "referrals", pieces, asOf });
      return reply.kind === "referrals" ? reply.given : [];
    },
    async replay(pieces, asOf) {
      const reply = await ask({ kind: "replay", pieces, asOf });
      if (reply.kind !== "replay") throw new Error("a replay thread has answered something else");
      return reply.result;
    },
    async rest() {
      const replies = await Promise.all(threads.map((thread) => askThread(thread, { kind: "rest" })));
      return replies.flatMap((reply) => (reply.kind === "rest" ? [reply.runs] : []));
    },
    async stop() {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}

interface Thread {
  readonly worker: Worker;
  /** Rejects when the thread has ended, by itself or by `stop`. */
  readonly failed: Promise<never>;
}

function startThread(workerData: ThreadData): Thread {
  // As source it ends in .ts, as built in .js.
  const module = new URL(`./replay-thread${extname(import.meta.filename)}`, import.meta.url);
  const worker = new Worker(module, {
    workerData,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
  });
  const failed = new Promise<never>((_, reject) => {
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`a replay thread ended by itself, with ${code}`)));
  });
  // Whoever waits for it gets the error; without a waiter it must not count as unhandled.
  failed.catch(() => undefined);
  return { worker, failed };
}
