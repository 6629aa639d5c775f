import { isUtf8 } from "node:buffer";
import { acceptEvent, type Decoded } from "../../domain/accept.ts";
import { INPUT_TOPICS, type DeadLetterReason, type FactTopic } from "../../domain/events.ts";
import type { NewRecord } from "./embedded-log.ts";
import type { Line } from "./line-splitter.ts";
import { readPlainObject } from "./plain-object.ts";

/** The topic under which a line goes that names none: a record must have one, and its file and line say the rest. */
const TOPIC_OF_UNUSABLE: FactTopic = "orders";

/** What a line was read as, and the topic under which it goes. */
export interface ReadLine {
  readonly topic: FactTopic;
  readonly decoded: Decoded;
}

/** Reads one line of an event file (I2). What can't be used comes back as a dead letter, never as an error. */
export function recordOfLine(name: string, line: Line, isKnownUtf8: boolean): NewRecord {
  const { topic, decoded } = readLine(line.bytes, line.cutFromBytes, isKnownUtf8);
  return { topic, value: line.bytes, file: { name, line: line.number }, decoded };
}

/**
 * The same of a line within bytes.
 * @param cutFromBytes length of a line of which only the beginning is there; null: it is whole
 */
export function readLine(
  bytes: Buffer,
  cutFromBytes: number | null,
  isKnownUtf8: boolean,
  start = 0,
  end = bytes.length,
): ReadLine {
  if (cutFromBytes !== null) {
    return refused("undecodable", `the line is ${cutFromBytes} bytes long; only its beginning is kept`);
  }
  let raw: unknown = readPlainObject(bytes, start, end);
  if (raw === null) {
    if (!isKnownUtf8 && !isUtf8(bytes.subarray(start, end)))
      return refused("undecodable", "the line is not UTF-8");
    try {
      raw = JSON.parse(bytes.toString("utf8", start, end));
    } catch (error) {
      return refused("undecodable", `the line is not JSON: ${(error as Error).message}`);
    }
  }
  if (raw === null || typeof raw !== "object" || Array.isArray(raw)) {
    return refused("undecodable", "the line is not a JSON object");
  }
  const topic: unknown = "topic" in raw ? raw.topic : undefined;
  if (!isInputTopic(topic)) {
    return refused(
      "invalid_field",
      topic === undefined
        ? "topic is missing"
        : `topic is ${JSON.stringify(topic)}, not one of ${INPUT_TOPICS.join(", ")}`,
    );
  }
  return { topic, decoded: acceptEvent(topic, raw) };
}

function refused(reason: DeadLetterReason, detail: string): ReadLine {
  return { topic: TOPIC_OF_UNUSABLE, decoded: { kind: "dead_letter", reason, detail } };
}

function isInputTopic(topic: unknown): topic is (typeof INPUT_TOPICS)[number] {
  return INPUT_TOPICS.includes(topic as (typeof INPUT_TOPICS)[number]);
}
