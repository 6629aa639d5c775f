import { toIso, type Instant } from "../../shared/instant.ts";
import type { SimulatedEvent } from "./simulate.ts";

const INSTANTS: ReadonlySet<string> = new Set(["occurredAt", "dueAt"]);

/** An event as a line of an event file (I2), with its line break: instants in ISO 8601, what is unknown left out. */
export function eventLine(event: SimulatedEvent): string {
  const fields = Object.entries(event).flatMap(([name, value]: [string, unknown]) => {
    if (value === null) return [];
    return [[name, INSTANTS.has(name) ? toIso(value as Instant) : value]];
  });
  return `${JSON.stringify(Object.fromEntries(fields))}\n`;
}
