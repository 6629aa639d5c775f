import { createWriteStream, type WriteStream } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { eventLine } from "../../src/app/simulation/event-line.ts";
import type { SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import { dueAt, loadEvents } from "./load-source.ts";
import { openSender } from "./send-all.ts";
import { spread } from "./spread.ts";
import type { FromLoad, LoadOptions } from "./steady-load.ts";

/** Between two sends: what is due meanwhile goes together, as with a producer that lingers so long. */
const SLICE_MS = 5;

const { servers, shards, eventsPerSecond, source, file } = workerData as LoadOptions;
const main = parentPort;
if (main === null) throw new Error("this is a thread of the benchmark");
const say = (message: FromLoad): void => main.postMessage(message);
const stop = new AbortController();
main.once("message", () => stop.abort());

const sender = await openSender(servers, shards);
const out = file === null ? null : createWriteStream(file);
const begunAt = Date.now();
const events = loadEvents(source, begunAt, eventsPerSecond);
const behindMs: number[] = [];
let sent = 0;
say({ kind: "begun", at: begunAt });
for (;;) {
  const isLast = stop.signal.aborted;
  const slice = takeDue(Date.now());
  if (slice.length > 0) {
    await sender.send(slice);
    const inLogAt = Date.now();
    for (let i = sent - slice.length; i < sent; i++)
      behindMs.push(inLogAt - dueAt(begunAt, eventsPerSecond, i));
    if (out !== null) await write(out, slice);
  }
  if (isLast) break;
  await sleep(SLICE_MS);
}
await sender.close();
if (out !== null) {
  out.end();
  await finished(out);
}
say({ kind: "stopped", sent, behindMs: spread(behindMs) });

/** The next events that are due, in order: a send that took long is followed by a larger one. */
function takeDue(now: number): SimulatedEvent[] {
  const slice: SimulatedEvent[] = [];
  while (dueAt(begunAt, eventsPerSecond, sent) <= now) {
    const { value, done } = events.next() as IteratorResult<SimulatedEvent, undefined>;
    if (done === true) throw new Error("the load went on for longer than it has events");
    slice.push(value);
    sent++;
  }
  return slice;
}

async function write(file: WriteStream, slice: readonly SimulatedEvent[]): Promise<void> {
  if (!file.write(slice.map(eventLine).join(""))) await once(file, "drain");
}
