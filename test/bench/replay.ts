import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeBenchFile } from "./bench-file.ts";
import { median, peakMiB } from "./conditions.ts";
import type { BenchSize } from "./main.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** `replay` as a user calls it, from a cold start to its exit: with the segments alone, and with every change written out. */
export async function benchReplay(
  { events, customers, runs }: BenchSize,
  say: (text: string) => void,
): Promise<object> {
  const dir = mkdtempSync(join(tmpdir(), "clientela-bench-"));
  const file = join(dir, "events.jsonl");
  await writeBenchFile(file, events, customers);
  const of = async (output: string): Promise<{ eventsPerSecond: number; peakMiB: number }> => {
    const rates: number[] = [];
    const peaks: number[] = [];
    for (let run = 0; run < runs; run++) {
      const measured = await replayOnce([file, output, join(dir, "out.jsonl")]);
      rates.push(events / measured.seconds);
      peaks.push(measured.peakMiB);
      say(`replay ${output}, run ${run + 1}: ${Math.round(events / measured.seconds)} events/s`);
    }
    return { eventsPerSecond: Math.round(median(rates)), peakMiB: Math.max(...peaks) };
  };
  try {
    return { segments: await of("--segments"), changes: await of("--changes") };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function replayOnce(args: readonly string[]): Promise<{ seconds: number; peakMiB: number }> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [MAIN, "replay", ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  let peak = 0;
  const watching = setInterval(() => (peak = Math.max(peak, peakMiB(child.pid ?? 0) ?? 0)), 100);
  const [code] = (await once(child, "exit")) as [number];
  clearInterval(watching);
  if (code !== 0) throw new Error(`replay ended with ${code}`);
  return { seconds: (performance.now() - startedAt) / 1000, peakMiB: peak };
}
