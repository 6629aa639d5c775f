import { isUtf8 } from "node:buffer";
import { acceptEvent, type Decoded } from "../../domain/accept.ts";
import { INPUT_TOPICS, type DeadLetterReason, type FactTopic } from "../../domain/events.ts";
import type { NewRecord } from "./embedded-log.ts";
import type { Line } from "./line-splitter.ts";
import { readPlainObject } from "./plain-object.ts";

/** The topic under which a line goes that names none: a record must have one, and its file and line say the rest. */
const TOPIC_OF_UNUSABLE: FactTopic = "orders";

/** Reads one line of an event file (I2). What can't be used comes back as a dead letter, never as an error. */
export function recordOfLine(name: string, line: Line, isKnownUtf8: boolean): NewRecord {
  const file = { name, line: line.number };
  const value = line.bytes;
  const refuse = (reason: DeadLetterReason, detail: string): NewRecord => ({
    topic: TOPIC_OF_UNUSABLE,
    value,
    file,
    decoded: { kind: "dead_letter", reason, detail },
  });

  if (line.cutFromBytes !== null) {
    return refuse("undecodable", `the line is ${line.cutFromBytes} bytes long; only its beginning is kept`);
  }
  let raw: unknown = readPlainObject(value);
  if (raw === null) {
    if (!isKnownUtf8 && !isUtf8(value)) return refuse("undecodable", "the line is not UTF-8");
    try {
      raw = JSON.parse(value.toString("utf8"));
    } catch (error) {
      return refuse("undecodable", `the line is not JSON: ${(error as Error).message}`);
    }
  }
  if (raw === null || typeof raw !== "object" || Array.isArray(raw)) {
    return refuse("undecodable", "the line is not a JSON object");
  }
  const topic: unknown = "topic" in raw ? raw.topic : undefined;
  if (!isInputTopic(topic)) {
    return refuse(
      "invalid_field",
      topic === undefined
        ? "topic is missing"
        : `topic is ${JSON.stringify(topic)}, not one of ${INPUT_TOPICS.join(", ")}`,
    );
  }
  const decoded: Decoded = acceptEvent(topic, raw);
  return { topic, value, file, decoded };
}

function isInputTopic(topic: unknown): topic is (typeof INPUT_TOPICS)[number] {
  return INPUT_TOPICS.includes(topic as (typeof INPUT_TOPICS)[number]);
}
