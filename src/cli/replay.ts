import { statSync } from "node:fs";
import { resolve } from "node:path";
import { Command } from "commander";
import { readEventFiles } from "../adapters/embedded/event-files.ts";
import { configuredPolicy } from "../app/policy-file.ts";
import { replay, type Replayed } from "../app/replay/replay.ts";
import type { Output } from "../app/replay/replay-part.ts";
import { UsageError } from "../pipeline/errors.ts";
import { toIso, type Instant } from "../shared/instant.ts";
import { instantValue } from "./arguments.ts";
import type { CommandContext } from "./context.ts";
import { Progress } from "./progress.ts";
import { ResultFile } from "./result-files.ts";

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
  // Whatever is wrong with the inputs is told before a result file is touched.
  const policy = await configuredPolicy(options.policy ?? null);
  await readEventFiles(files);
  const results = await openResults(files, options);
  const progress = new Progress("events");
  const startedAt = performance.now();
  let replayed: Replayed;
  try {
    replayed = await replay({
      files,
      asOf: options.asOf ?? null,
      policy,
      signal,
      sinks: results,
      onProgress: ({ lines, bytes, totalBytes }) => progress.update(lines, bytes, totalBytes),
    });
  } finally {
    progress.stop();
  }
  for (const file of Object.values(results)) await file.close();
  const seconds = (performance.now() - startedAt) / 1000;
  const rate = Math.round(replayed.events / seconds).toLocaleString("en");
  const why =
    replayed.deadLetters > 0 && results.deadLetters === undefined ? " (--dead-letters FILE says why)" : "";
  const later = replayed.later === 0 ? "" : `, ${replayed.later} after the end`;
  process.stderr.write(
    `${replayed.events} events in ${seconds.toFixed(1)} s (${rate}/s): ${replayed.changes} changes, ${replayed.deadLetters} refused${why}${later}; as of ${toIso(replayed.asOf)}\n`,
  );
}

type Results = Partial<Record<Output, ResultFile>>;

/** Opens the result files that were asked for. Throws UsageError, with nothing touched, when two are one, or one is an input. */
async function openResults(files: readonly string[], options: Options): Promise<Results> {
  const { segments, timeline, deadLetters } = options;
  const asksForOther = segments !== undefined || timeline !== undefined;
  const changes = options.changes ?? (asksForOther || deadLetters === "-" ? undefined : "-");
  const taken = new Map(
    files.filter((path) => path !== "-").map((path) => [identityOf(path), "an event file"]),
  );
  const problems: string[] = [];
  for (const [option, path] of Object.entries({
    "--changes": changes,
    "--segments": segments,
    "--timeline": timeline,
    "--dead-letters": deadLetters,
  })) {
    if (path === undefined || path === "/dev/null") continue;
    const identity = path === "-" ? "-" : identityOf(path);
    const other = taken.get(identity);
    if (other === undefined) taken.set(identity, option);
    else problems.push(`${option} ${path} is ${other} as well: give it a file of its own`);
  }
  if (problems.length > 0) throw new UsageError("OUTPUT", problems);
  const results: Results = {};
  for (const [output, path] of Object.entries({ changes, segments, timeline, deadLetters })) {
    if (path !== undefined) results[output as Output] = await ResultFile.open(path);
  }
  return results;
}

/** The file that a path leads to, whatever it is called. */
function identityOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? resolve(path) : `${found.dev}:${found.ino}`;
}
