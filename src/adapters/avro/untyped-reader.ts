import type { FactTopic } from "../../domain/events.ts";
import type { SourceRecord } from "../../pipeline/ports.ts";
import { frame } from "./decoder.ts";
import type { SchemaSource } from "./registry.ts";
import { ownType, parseType } from "./schemas.ts";

/** A record as plain JSON, whether or not it is sound; null: its bytes can't be read as this topic's. */
export type UntypedReader = (
  topic: FactTopic,
  record: Pick<SourceRecord, "value" | "headers">,
) => Promise<object | null>;

/** For people who look at records that were refused. Throws RetriableError when the registry can't be asked. */
export function createUntypedReader(registry: SchemaSource): UntypedReader {
  const texts = new Map<number, string | null>();
  return async (topic, record) => {
    const framed = frame(record);
    if (typeof framed === "string") return null;
    let text = texts.get(framed.id);
    if (text === undefined) texts.set(framed.id, (text = await registry.schemaById(framed.id)));
    if (text === null) return null;
    try {
      const type = ownType(topic);
      const value: unknown = type.fromBuffer(framed.body, type.createResolver(parseType(text)));
      return { topic, ...(JSON.parse(JSON.stringify(value)) as object) };
    } catch {
      // What can't be read is why it was refused.
      return null;
    }
  };
}
