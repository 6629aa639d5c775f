import { ClientelaError } from "../pipeline/errors.ts";

/** Throws what a command that was stopped halfway ends with. */
export function throwIfInterrupted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new ClientelaError(
    "INTERRUPTED",
    "stopped before the end: what was written so far is not the result",
    {
      retriable: false,
    },
  );
}
