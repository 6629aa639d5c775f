import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { eventLine } from "../../src/app/simulation/event-line.ts";
import { mixUpToNow } from "./fill-topics.ts";

const LINES_AT_ONCE = 5_000;

/** The realistic mix over the last three years up to now, in time order, as an event file. */
export async function writeBenchFile(path: string, events: number, customers: number): Promise<void> {
  const out = createWriteStream(path);
  let lines: string[] = [];
  for (const event of mixUpToNow(events, customers)) {
    lines.push(eventLine(event));
    if (lines.length < LINES_AT_ONCE) continue;
    if (!out.write(lines.join(""))) await once(out, "drain");
    lines = [];
  }
  out.end(lines.join(""));
  await finished(out);
}
