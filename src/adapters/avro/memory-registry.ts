import { incompatible, type SchemaSource } from "./registry.ts";
import { parseType } from "./schemas.ts";

/** A registry in memory, for one process: ids count from 1. It holds every subject to BACKWARD_TRANSITIVE, as the real one does. */
export function createMemoryRegistry(): SchemaSource {
  const schemas: string[] = [];
  const subjects = new Map<string, Map<string, number>>();

  const idFor = (subject: string, held: ReadonlyMap<string, number>, schema: string): number => {
    const type = parseType(schema);
    for (const earlier of held.keys()) {
      try {
        type.createResolver(parseType(earlier));
      } catch (error) {
        throw incompatible(subject, error instanceof Error ? error.message : String(error), error);
      }
    }
    const known = schemas.indexOf(schema);
    return known >= 0 ? known + 1 : schemas.push(schema);
  };

  return {
    schemaById: (id) => Promise.resolve(schemas[id - 1] ?? null),
    idOf: (subject, schema) => Promise.resolve(subjects.get(subject)?.get(schema) ?? null),
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must come as a rejection
    async register(subject, schema) {
      const held = subjects.get(subject) ?? new Map<string, number>();
      const id = held.get(schema) ?? idFor(subject, held, schema);
      subjects.set(subject, held.set(schema, id));
      return id;
    },
  };
}
