import { readFileSync } from "node:fs";
import avro, { type Type } from "avsc";
import { boundReads } from "./bounded-reads.ts";

/** Topics whose values have a schema in `schemas/`, by logical name. The subject is `<topic>-value` (TopicNameStrategy). */
export const SCHEMA_TOPICS = [
  "orders",
  "inquiries",
  "surveys",
  "customers",
  "referrals",
  "segment-changes",
  "customer-segments",
] as const;
export type SchemaTopic = (typeof SCHEMA_TOPICS)[number];

/** Text of a topic's schema, as it is registered. */
export function schemaText(topic: SchemaTopic): string {
  return readFileSync(new URL(`../../../schemas/${topic}.avsc`, import.meta.url), "utf8");
}

/** Parses a schema. Instants stay numbers of milliseconds; longs beyond 2⁵³ are refused when met. Throws on what is no Avro schema. */
export function parseType(text: string): Type {
  boundReads();
  return avro.Type.forSchema(JSON.parse(text) as avro.Schema, { noAnonymousTypes: false });
}

const types = new Map<SchemaTopic, Type>();

/** The type this version of clientela reads and writes. */
export function ownType(topic: SchemaTopic): Type {
  let type = types.get(topic);
  if (type === undefined) {
    type = parseType(schemaText(topic));
    types.set(topic, type);
  }
  return type;
}
