import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { RefusedError } from "../../pipeline/errors.ts";
import type { Offsets, SourceRecord } from "../../pipeline/ports.ts";
import { EmbeddedLog, type EmbeddedLogOptions, type LogEntry, type LogJournal } from "./embedded-log.ts";
import { lockFolder } from "./folder-lock.ts";
import { Journal } from "./journal.ts";

const COMPACT_AT = 4;
const LEAST_COMPACTED_BYTES = 2 ** 20;
/** Records in one entry of a journal made anew. */
const RECORDS_PER_ENTRY = 1000;

export interface FolderLogOptions extends EmbeddedLogOptions {
  /** False: what is appended survives the process, but not the machine. Default true. */
  readonly sync?: boolean;
}

type Entry = LogEntry | { readonly kind: "start"; readonly starts: readonly Offsets[] };

/**
 * An embedded log with a journal `log.journal` in a folder, one for all shards: a commit may feed referrals to other shards,
 * and both must survive or neither. One process at a time (`log.lock`).
 *
 * Nobody can tell whether `onCommitted` had the last output of a shard before the process ended: it gets that one again on
 * opening. Changes are told apart by `changeId`. Records without `decoded` come back with the bytes they had.
 * @throws RefusedError when the folder is in use, its journal damaged, or made for another number of shards
 */
export async function createFolderLog(folder: string, options: FolderLogOptions): Promise<EmbeddedLog> {
  await mkdir(folder, { recursive: true });
  const unlock = lockFolder(join(folder, "log.lock"));
  try {
    return await openLog(folder, options, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

async function openLog(folder: string, options: FolderLogOptions, unlock: () => void): Promise<EmbeddedLog> {
  const path = join(folder, "log.journal");
  const { journal, entries } = await Journal.open(path, { sync: options.sync ?? true });
  const [start, ...rest] = entries as Entry[];
  const starts = start?.kind === "start" ? start.starts : Array.from({ length: options.shards }, () => ({}));
  if (starts.length !== options.shards) {
    await journal.close();
    throw new RefusedError(
      "SHARDS_CHANGED",
      `${path} was made for ${starts.length} shards, not ${options.shards}: customers would move between shards. Use as many as before, or another folder`,
    );
  }
  if (start === undefined) await journal.append({ kind: "start", starts } satisfies Entry);
  const keeper = new LogKeeper(journal, unlock);
  const restored = rest.filter((entry) => entry.kind !== "start");
  const log = new EmbeddedLog(options, keeper, starts, restored);
  keeper.contents = () => log.contents();
  for (const entry of lastCommits(restored)) {
    await options.onCommitted?.(entry.shard, entry.output, entry.committed);
  }
  return log;
}

type CommitEntry = Extract<LogEntry, { kind: "commit" }>;

function lastCommits(entries: readonly LogEntry[]): CommitEntry[] {
  const last = new Map<number, CommitEntry>();
  for (const entry of entries) if (entry.kind === "commit") last.set(entry.shard, entry);
  return [...last.values()].filter(
    ({ output }) => output.changes.length + output.segments.length + output.deadLetters.length > 0,
  );
}

class LogKeeper implements LogJournal {
  readonly #journal: Journal;
  readonly #unlock: () => void;
  readonly #lastCommits = new Map<number, CommitEntry>();
  #compactedBytes = LEAST_COMPACTED_BYTES;
  contents: () => ReturnType<EmbeddedLog["contents"]> = () => ({ starts: [], entries: [] });

  constructor(journal: Journal, unlock: () => void) {
    this.#journal = journal;
    this.#unlock = unlock;
  }

  async write(entry: LogEntry): Promise<void> {
    // Before the entry: what the log holds by now has all been applied.
    if (this.#journal.sizeBytes > COMPACT_AT * this.#compactedBytes) {
      await this.#journal.replace(this.#entries());
      this.#compactedBytes = Math.max(LEAST_COMPACTED_BYTES, this.#journal.sizeBytes);
    }
    await this.#journal.append(entry);
    if (entry.kind === "commit") this.#lastCommits.set(entry.shard, entry);
  }

  async close(): Promise<void> {
    await this.#journal.close();
    this.#unlock();
  }

  *#entries(): Iterable<Entry> {
    const { starts, entries } = this.contents();
    yield { kind: "start", starts };
    for (const entry of entries) {
      if (entry.kind === "commit") yield withOutputOf(entry, this.#lastCommits.get(entry.shard));
      else for (const records of partsOf(entry.records)) yield { kind: "records", records };
    }
  }
}

/** The last output stays: the next opening hands it over again. Its referrals are among the records. */
function withOutputOf(entry: CommitEntry, last: CommitEntry | undefined): CommitEntry {
  return last === undefined ? entry : { ...entry, output: last.output };
}

function* partsOf(records: readonly SourceRecord[]): Iterable<readonly SourceRecord[]> {
  for (let i = 0; i < records.length; i += RECORDS_PER_ENTRY) yield records.slice(i, i + RECORDS_PER_ENTRY);
}
