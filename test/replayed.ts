import type { SegmentChange } from "../src/domain/change.ts";
import type { Policy } from "../src/domain/policy.ts";
import { builtInPolicy } from "../src/app/policy-file.ts";
import { OUTPUTS, type Output } from "../src/app/replay/replay-part.ts";
import { replay, type Replayed, type ReplayOptions } from "../src/app/replay/replay.ts";
import type { LineSink } from "../src/app/replay/sorted-runs.ts";
import { instant } from "../src/shared/instant.ts";

/** The texts of all results of a replay in this process. */
export interface ReplayTexts extends Record<Output, string> {
  readonly replayed: Replayed;
}

/** Replays files and gives all results, or those asked for. */
export async function replayTexts(
  files: readonly string[],
  options: {
    readonly asOf?: number;
    readonly policy?: Policy;
    readonly threads?: number;
    readonly memoryBytes?: number;
    readonly outputs?: readonly Output[];
  } = {},
): Promise<ReplayTexts> {
  const { asOf, policy = builtInPolicy(), outputs = OUTPUTS, ...rest } = options;
  const texts: Record<Output, string> = { changes: "", segments: "", timeline: "", deadLetters: "" };
  const sinks: Partial<Record<Output, LineSink>> = {};
  for (const output of outputs) {
    sinks[output] = { write: (lines) => void (texts[output] += Buffer.from(lines).toString()) };
  }
  const given: ReplayOptions = {
    files,
    asOf: asOf === undefined ? null : instant(asOf),
    policy,
    signal: new AbortController().signal,
    sinks,
    onProgress: () => undefined,
    ...rest,
  };
  return { replayed: await replay(given), ...texts };
}

/** What a replay publishes, with the fields that are compared with what was published live as they are there. */
export async function replayedChanges(
  file: string,
  asOf?: number,
): Promise<(readonly [customerId: string, change: SegmentChange | null])[]> {
  const { changes, deadLetters } = await replayTexts([file], asOf === undefined ? {} : { asOf });
  if (deadLetters !== "") throw new Error(deadLetters);
  return changesOf(changes);
}

/** The lines of a changes file as changes: instants are numbers again. */
export function changesOf(text: string): (readonly [customerId: string, change: SegmentChange | null])[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const change = JSON.parse(line, (key, value: unknown) =>
        INSTANTS.has(key) && typeof value === "string" ? Date.parse(value) : value,
      ) as SegmentChange & { tombstone?: true };
      return [change.customerId, change.tombstone === true ? null : change];
    });
}

const INSTANTS = new Set([
  "effectiveAt",
  "decidedAt",
  "firstOccasionAt",
  "lastOccasionAt",
  "lapseAt",
  "accountSince",
  "at",
]);
