import { Worker } from "node:worker_threads";
import type { Servers } from "../../src/app/compose-kafka.ts";
import type { LoadSource } from "./load-source.ts";
import type { Spread } from "./spread.ts";

export interface LoadOptions {
  readonly servers: Servers;
  readonly shards: number;
  readonly eventsPerSecond: number;
  readonly source: LoadSource;
  /** What was sent is also written here, as an event file; null: it is not. */
  readonly file: string | null;
}

/** What a load came to. */
export interface LoadSent {
  readonly sent: number;
  /** How long after it was due an event was in the log: what the sender itself adds to every delay. */
  readonly behindMs: Spread;
}

export type FromLoad =
  { readonly kind: "begun"; readonly at: number } | ({ readonly kind: "stopped" } & LoadSent);

/** A load that runs until it is stopped. */
export interface SteadyLoad {
  /** When the first event was due, ms since the epoch; the others follow from the rate. */
  readonly begunAt: number;
  /** Resolves when all that was due by now is in the log. Throws when sending has failed meanwhile. */
  stop(): Promise<LoadSent>;
}

/** Events at an even rate, from a thread of their own: who measures and who sends do not wait for each other. */
export async function startLoad(options: LoadOptions): Promise<SteadyLoad> {
  const worker = new Worker(new URL("./load-worker.ts", import.meta.url), { workerData: options });
  let onBegun: (at: number) => void = () => undefined;
  let onStopped: (sent: LoadSent) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  // Whoever stops it is told; until then nothing goes unnoticed, because the counts won't fit.
  failed.catch(() => undefined);
  const begun = new Promise<number>((resolve) => (onBegun = resolve));
  const stopped = new Promise<LoadSent>((resolve) => (onStopped = resolve));
  worker.on("error", fail);
  worker.on("exit", (code) => fail(new Error(`the load ended by itself, with ${code}`)));
  worker.on("message", (message: FromLoad) => {
    if (message.kind === "begun") onBegun(message.at);
    else onStopped({ sent: message.sent, behindMs: message.behindMs });
  });
  const begunAt = await Promise.race([begun, failed]);
  return {
    begunAt,
    stop() {
      worker.postMessage("stop");
      return Promise.race([stopped, failed]);
    },
  };
}
