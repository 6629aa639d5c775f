import { createUntypedReader } from "../../adapters/avro/untyped-reader.ts";
import { REDRIVEN_TOPIC } from "../../adapters/kafka/topics.ts";
import { toIso } from "../../shared/instant.ts";
import type { Logger } from "../../pipeline/options.ts";
import { withAdmin } from "../admin.ts";
import { registryOf, type Servers } from "../compose-kafka.ts";
import { readTopic } from "../read-topic.ts";
import {
  deadLetterOf,
  headerList,
  isSelected,
  type DeadLetterRecord,
  type LetterSelection,
} from "./letter.ts";

export interface ListOptions {
  readonly servers: Servers;
  readonly selection: LetterSelection;
  /** Only those that were not sent back yet. */
  readonly pendingOnly: boolean;
  readonly limit: number;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/** A line of `list --json` (I3), with what else is known. */
export interface ListedLetter {
  readonly reason: string;
  readonly message: string;
  readonly source: DeadLetterRecord["source"];
  readonly refusedAt: string;
  /** When it was sent back; null: it was not. */
  readonly redrivenAt: string | null;
  /** The record as JSON; absent when its bytes can't be read, then `raw` has them in base64 (null: it had no value). */
  readonly event?: object;
  readonly raw?: string | null;
}

/** Dead letters with what became of them, each once, partitions interleaved as they come. */
export async function* listDeadLetters(options: ListOptions): AsyncGenerator<ListedLetter> {
  const { servers, logger, signal } = options;
  const marks = (await hasMarks(servers, logger))
    ? await readMarks({ servers, logger, signal })
    : new Map<string, string>();
  const read = createUntypedReader(registryOf(servers));
  let listed = 0;
  for await (const letter of readLetters(options)) {
    const redrivenAt = redrivenAtOf(letter, marks);
    if (options.pendingOnly && redrivenAt !== null) continue;
    if (listed++ >= options.limit) return;
    const { reason, message, source, refusedAt } = letter;
    const event =
      letter.topic === null
        ? null
        : await read(letter.topic, { value: letter.value, headers: headerList(letter.headers) });
    yield {
      reason,
      message,
      source,
      refusedAt: toIso(refusedAt),
      redrivenAt,
      ...(event === null ? { raw: letter.value?.toString("base64") ?? null } : { event }),
    };
  }
}

/** Selected dead letters up to the end that the topic has now, each once: a batch that was given up may have been published before. */
export async function* readLetters(
  options: Pick<ListOptions, "servers" | "selection" | "signal" | "logger">,
): AsyncGenerator<DeadLetterRecord> {
  const { servers, selection, signal, logger } = options;
  const seen = new Set<string>();
  const all = { servers, signal, logger, fromBeginning: true, untilEnd: true };
  for await (const message of readTopic("segment-dead-letters", all)) {
    const letter = deadLetterOf(message, servers.topicPrefix);
    if (!isSelected(letter, selection) || seen.has(letter.identity)) continue;
    seen.add(letter.identity);
    yield letter;
  }
}

/** When each dead letter that was sent back was so, by its identity. */
export async function readMarks(
  options: Pick<ListOptions, "servers" | "signal" | "logger">,
): Promise<Map<string, string>> {
  const marks = new Map<string, string>();
  for await (const { key, value } of readTopic(REDRIVEN_TOPIC, {
    ...options,
    fromBeginning: true,
    untilEnd: true,
  })) {
    if (key === null || value === null) continue;
    const { at } = JSON.parse(value.toString("utf8")) as { at: string };
    marks.set(key.toString("utf8"), at);
  }
  return marks;
}

/**
 * When a letter was sent back; null: it was not. Marks of before letters had a topic's id name only the place: they are of what was
 * refused before they were made, and not of what stands in that place since.
 */
export function redrivenAtOf(letter: DeadLetterRecord, marks: ReadonlyMap<string, string>): string | null {
  const at = marks.get(letter.identity);
  if (at !== undefined) return at;
  const ofPlace = marks.get(letter.id);
  return ofPlace !== undefined && Date.parse(ofPlace) >= letter.refusedAt ? ofPlace : null;
}

/** Installations that were set up before there was redrive have none. */
async function hasMarks(servers: Servers, logger: Logger): Promise<boolean> {
  const topics = await withAdmin(servers, logger, "asking for topics", (admin) => admin.listTopics());
  return topics.includes(servers.topicPrefix + REDRIVEN_TOPIC);
}
