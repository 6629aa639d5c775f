import { createRequire } from "node:module";
import { isKnownSource } from "./known-source.ts";
import { PATCHED, patchMethod } from "./method-patch.ts";

const require = createRequire(import.meta.url);
/** SHA-256 of the request queue's file in kafkajs 2.2.4, the version the patch was written for. */
const KNOWN_HASH = "b55986089c14f8f7bfc377922e2e65b3e4c1e7c7af2752d3b10a75dfe9e9260c";
/** Asked once: every client is made through here. */
const isKnown = isKnownSource(require.resolve(PATCHED.requestQueue), KNOWN_HASH);

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
}

type Schedule = (this: RequestQueue) => void;

/**
 * Every idle connection of kafkajs 2.2.4 re-arms a timer of a millisecond for as long as it lives, though there is nothing to
 * check (A10: a few per cent of a core each). The patch arms it only when requests are waiting. A file that is not the known
 * one is left alone.
 * @returns true when the patch is in place
 */
export function patchIdleTimer(say: (message: string) => void): boolean {
  if (!isKnown) {
    say("kafkajs is not the version whose idle timer is known: it is left as it is");
    return false;
  }
  patchMethod<Schedule>("requestQueue", "scheduleCheckPendingRequests", onlyWithRequests);
  return true;
}

function onlyWithRequests(original: Schedule): Schedule {
  return function scheduleCheckPendingRequests() {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) original.call(this);
  };
}
