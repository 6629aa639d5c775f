import { createRequire } from "node:module";
import { isKnownSource } from "./known-source.ts";

const require = createRequire(import.meta.url);
const FILE = "kafkajs/src/network/requestQueue/index.js";
/** SHA-256 of that file in kafkajs 2.2.4, the version the patch was written for. */
const KNOWN_HASH = "b55986089c14f8f7bfc377922e2e65b3e4c1e7c7af2752d3b10a75dfe9e9260c";

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
}

let isDone = false;

/**
 * Every idle connection of kafkajs 2.2.4 re-arms a timer of a millisecond for as long as it lives, though there is nothing to
 * check (A10: a few per cent of a core each). The patch arms it only when requests are waiting. A file that is not the known
 * one is left alone.
 * @returns true when the patch is in place
 */
export function patchIdleTimer(say: (message: string) => void): boolean {
  if (isDone) return true;
  const path = require.resolve(FILE);
  if (!isKnownSource(path, KNOWN_HASH)) {
    say("kafkajs is not the version whose idle timer is known: it is left as it is");
    return false;
  }
  const { prototype } = require(path) as { prototype: RequestQueue };
  const { scheduleCheckPendingRequests: original } = prototype;
  prototype.scheduleCheckPendingRequests = function scheduleCheckPendingRequests(this: RequestQueue): void {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) original.call(this);
  };
  isDone = true;
  return true;
}
