import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { IHeaders } from "kafkajs";
import type { AvroEncoder } from "../../adapters/avro/encoder.ts";
import type { UntypedReader } from "../../adapters/avro/untyped-reader.ts";
import { acceptEvent } from "../../domain/accept.ts";
import { INPUT_TOPICS } from "../../domain/events.ts";
import { UsageError } from "../../pipeline/errors.ts";
import { toIso } from "../../shared/instant.ts";
import { headerList, type DeadLetterRecord } from "./letter.ts";

/** What a repair script is given; see docs/operations.md. */
export interface LetterForRepair {
  readonly reason: string;
  readonly message: string;
  /** Logical name of the input; null: none of this installation. */
  readonly topic: string | null;
  readonly source: DeadLetterRecord["source"];
  /** ISO 8601. */
  readonly refusedAt: string;
  /** The record as JSON (S2); null: its bytes can't be read. */
  event: object | null;
  key: Buffer | null;
  value: Buffer | null;
  headers: IHeaders;
}

/** A repair script's default export. What it returns is checked. */
export type Repair = (letter: LetterForRepair) => unknown;

/** A record to be sent instead of one that was refused. */
export interface Repaired {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: IHeaders;
}

/** What a letter came to. */
export type RepairOutcome =
  | { readonly kind: "send"; readonly record: Repaired }
  /** The script wants it left. */
  | { readonly kind: "leave" }
  | { readonly kind: "failed"; readonly why: string };

/** Says how a body without its own prefix is read; a repaired record has the prefix. */
const SCHEMA_ID_HEADER = "__value_schema_id";

/** Loads an ES module whose default export is a function. Throws UsageError. */
export async function loadRepair(path: string): Promise<Repair> {
  let loaded: { default?: unknown };
  try {
    loaded = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
  } catch (error) {
    throw new UsageError("REPAIR", [`${path} can't be loaded: ${messageOf(error)}`]);
  }
  if (typeof loaded.default === "function") return loaded.default as Repair;
  throw new UsageError("REPAIR", [`${path} must export a function as default: letter => repaired or null`]);
}

/** The letter as it was refused. */
export function unchanged(letter: DeadLetterRecord): RepairOutcome {
  if (letter.topic === null) return { kind: "failed", why: notAnInput(letter.source.topic) };
  const { topic, key, value, headers } = letter;
  return { kind: "send", record: { topic, key, value, headers } };
}

/** What the script makes of a letter. Whatever it does wrong is told and leaves the letter as it was. */
export async function repaired(
  letter: DeadLetterRecord,
  repair: Repair,
  read: UntypedReader,
  encoder: Pick<AvroEncoder, "event">,
): Promise<RepairOutcome> {
  const { reason, message, topic, source, refusedAt, key, value } = letter;
  const event = topic === null ? null : await read(topic, { value, headers: headerList(letter.headers) });
  let result: unknown;
  try {
    const headers = Object.assign(Object.create(null) as IHeaders, letter.headers);
    const given = { reason, message, topic, source, refusedAt: toIso(refusedAt), event, key, value, headers };
    result = await repair(given);
  } catch (error) {
    return { kind: "failed", why: `the repair script threw: ${messageOf(error)}` };
  }
  if (result === null || result === undefined) return { kind: "leave" };
  if (typeof result !== "object") return { kind: "failed", why: "the repair script returned no object" };
  return recordOf(letter, result, encoder);
}

function recordOf(
  letter: DeadLetterRecord,
  result: Partial<Record<keyof Repaired | "event", unknown>>,
  encoder: Pick<AvroEncoder, "event">,
): RepairOutcome {
  const topic = INPUT_TOPICS.find((each) => each === (result.topic ?? letter.topic));
  if (topic === undefined) {
    const named = typeof result.topic === "string" ? result.topic : letter.source.topic;
    return { kind: "failed", why: notAnInput(named) };
  }
  const given = (result.headers ?? letter.headers) as IHeaders;
  if (result.event !== null && result.event !== undefined) {
    const accepted = acceptEvent(topic, result.event);
    if (accepted.kind === "dead_letter") {
      return { kind: "failed", why: `the repaired event would be refused again: ${accepted.detail}` };
    }
    const headers = Object.fromEntries(Object.entries(given).filter(([name]) => name !== SCHEMA_ID_HEADER));
    const key = Buffer.from(accepted.event.customerId, "utf8");
    return { kind: "send", record: { topic, key, value: encoder.event(accepted.event), headers } };
  }
  const key = bytesOf(result.key === undefined ? letter.key : result.key);
  const value = bytesOf(result.value);
  if (key === undefined || value === undefined) {
    return { kind: "failed", why: "the repair script returned neither an event nor bytes as value and key" };
  }
  return { kind: "send", record: { topic, key, value, headers: given } };
}

/** undefined: neither bytes, text nor null. */
function bytesOf(part: unknown): Buffer | null | undefined {
  if (part === null) return null;
  if (typeof part === "string") return Buffer.from(part, "utf8");
  return part instanceof Uint8Array ? Buffer.from(part) : undefined;
}

function notAnInput(topic: string): string {
  return `${topic === "" ? "its source" : topic} is no input of this installation`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
