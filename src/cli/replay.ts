import { Command } from "commander";
import { configuredPolicy } from "../app/policy-file.ts";
import { replay } from "../app/replay.ts";
import type { Instant } from "../shared/instant.ts";
import { instantValue } from "./arguments.ts";
import type { CommandContext } from "./program.ts";
import { Progress } from "./progress.ts";
import { changeLine, deadLetterLine, ResultFile, segmentLine, timelineLine } from "./result-files.ts";

interface Options {
  readonly asOf?: Instant;
  readonly policy?: string;
  readonly changes?: string;
  readonly segments?: string;
  readonly timeline?: string;
  readonly deadLetters?: string;
}

export function replayCommand({ signal }: CommandContext): Command {
  return new Command("replay")
    .description("Runs event files through the whole pipeline in this process, as fast as it goes.")
    .argument("<file...>", "event files: one JSON object a line, .gz too, - for standard input")
    .option(
      "--as-of <instant>",
      "apply deadlines up to here; later events are not seen (default: the newest event)",
      instantValue,
    )
    .option("--policy <file>", "policy file (default: the built-in policy)")
    .option(
      "--changes <file>",
      "segment changes, - for standard output (the default when nothing else is asked for)",
    )
    .option("--segments <file>", "what is in force at --as-of, by customer")
    .option("--timeline <file>", "every transition, as if every event had been on time")
    .option("--dead-letters <file>", "what was refused, and why")
    .addHelpText(
      "after",
      "\nExample: clientela replay events.jsonl --as-of 2026-01-01T00:00:00Z --segments segments.jsonl",
    )
    .action((files: string[], options: Options) => run(files, options, signal));
}

async function run(files: readonly string[], options: Options, signal: AbortSignal): Promise<void> {
  const policy = await configuredPolicy(options.policy ?? null);
  const asksForOther = options.segments !== undefined || options.timeline !== undefined;
  const changes = await openOptional(options.changes ?? (asksForOther ? undefined : "-"));
  const segments = await openOptional(options.segments);
  const timeline = await openOptional(options.timeline);
  const deadLetters = await openOptional(options.deadLetters);
  const progress = new Progress("events");
  const startedAt = performance.now();
  const replayed = await replay({
    files,
    asOf: options.asOf ?? null,
    policy,
    signal,
    onChange: (customerId, change) => changes?.write(changeLine(customerId, change)),
    onDeadLetter: (deadLetter) => deadLetters?.write(deadLetterLine(deadLetter)),
    onProgress: ({ lines, bytes, totalBytes }) => progress.update(lines, bytes, totalBytes),
    drain: () => changes?.drain(),
  });
  const seconds = (performance.now() - startedAt) / 1000;
  progress.stop();
  try {
    if (segments !== null) {
      for await (const segment of replayed.segments()) {
        segments.write(segmentLine(segment));
        await segments.drain();
      }
    }
    if (timeline !== null) {
      for await (const transition of replayed.timeline()) {
        timeline.write(timelineLine(transition));
        await timeline.drain();
      }
    }
    for (const file of [changes, segments, timeline, deadLetters]) await file?.close();
  } finally {
    await replayed.stop();
  }
  const rate = Math.round(replayed.events / seconds).toLocaleString("en");
  const later = replayed.later === 0 ? "" : `, ${replayed.later} after the end`;
  process.stderr.write(
    `${replayed.events} events in ${seconds.toFixed(1)} s (${rate}/s): ${replayed.changes} changes, ${replayed.deadLetters} refused${later}; as of ${new Date(replayed.asOf).toISOString()}\n`,
  );
}

async function openOptional(path: string | undefined): Promise<ResultFile | null> {
  return path === undefined ? null : ResultFile.open(path);
}
